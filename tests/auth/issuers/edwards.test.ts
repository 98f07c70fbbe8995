import { isOnCurve } from "../../../src/auth/issuers/edwards.ts";
import { createKey } from "./support.ts";

const bytesOf = (alg: string): Buffer => Buffer.from(String(createKey(alg).jwk["x"]), "base64url");

describe("a public key of EdDSA", () => {
  it.each([
    ["Ed25519", "EdDSA"],
    ["Ed448", "Ed448"],
  ])("of %s is a point of the curve", (curve, alg) => {
    for (let i = 0; i < 20; i += 1) expect(isOnCurve(curve, bytesOf(alg))).toBe(true);
  });

  it("is refused if it is no point of the curve, or y is not below the prime", () => {
    expect(isOnCurve("Ed25519", Buffer.alloc(32, 2))).toBe(false);
    expect(isOnCurve("Ed25519", Buffer.alloc(32, 0xff))).toBe(false);
    expect(isOnCurve("Ed448", Buffer.alloc(57, 0xff))).toBe(false);
  });

  it("is refused if it is the neutral element: every signature would be valid", () => {
    expect(isOnCurve("Ed25519", Buffer.from([1, ...Buffer.alloc(31)]))).toBe(false);
    expect(isOnCurve("Ed448", Buffer.from([1, ...Buffer.alloc(56)]))).toBe(false);
  });

  it("is refused with another length or another curve", () => {
    const key = bytesOf("EdDSA");
    expect(isOnCurve("Ed25519", key.subarray(1))).toBe(false);
    expect(isOnCurve("Ed448", key)).toBe(false);
    expect(isOnCurve("X25519", key)).toBe(false);
  });
});
