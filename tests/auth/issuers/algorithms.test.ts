import { isSignedBy } from "../../../src/auth/issuers/algorithms.ts";
import { parseKeySet } from "../../../src/auth/issuers/key-set.ts";
import { present } from "../support.ts";
import { createKey, signatureOf, type TestKey } from "./support.ts";

const DATA = "header.payload";

const keyOf = ({ jwk }: TestKey) => present(parseKeySet({ keys: [jwk] })?.keys[0]);
const isValid = (key: TestKey, alg: string, signature: Buffer, data = DATA): boolean =>
  isSignedBy(keyOf(key), alg, { signed: Buffer.from(data), signature });

const RSA = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"];
const ALL = [...RSA, "ES256", "ES384", "ES512", "EdDSA"];

describe("a signature", () => {
  it.each(ALL)("with %s is valid only for its data, its key and its whole bytes", (alg) => {
    const key = createKey(alg);
    const signature = signatureOf(alg, key.privateKey, DATA);
    expect(isValid(key, alg, signature)).toBe(true);
    expect(isValid(key, alg, signature, `${DATA}x`)).toBe(false);
    expect(isValid(createKey(alg), alg, signature)).toBe(false);
    for (const wrong of [
      signature.subarray(0, -1),
      Buffer.concat([signature, Buffer.alloc(1)]),
      Buffer.concat([Buffer.alloc(1), signature]),
      Buffer.alloc(signature.length),
      Buffer.alloc(0),
      Buffer.from(signature).fill(0xff, 0, 8),
    ])
      expect(isValid(key, alg, wrong)).toBe(false);
  });

  it("with Ed448 is valid as EdDSA", () => {
    const key = createKey("Ed448");
    expect(isValid(key, "EdDSA", signatureOf("EdDSA", key.privateKey, DATA))).toBe(true);
  });

  it("of ECDSA in the form of ASN.1 is refused", () => {
    const key = createKey("ES256");
    const raw = signatureOf("ES256", key.privateKey, DATA);
    const part = (bytes: Buffer): Buffer => Buffer.concat([Buffer.from([2, 33, 0]), bytes]);
    const body = Buffer.concat([part(raw.subarray(0, 32)), part(raw.subarray(32))]);
    expect(isValid(key, "ES256", Buffer.concat([Buffer.from([0x30, body.length]), body]))).toBe(false);
  });

  it("with another padding of RSA is refused", () => {
    const key = createKey("RS256");
    expect(isValid(key, "PS256", signatureOf("RS256", key.privateKey, DATA))).toBe(false);
    expect(isValid(key, "RS256", signatureOf("PS256", key.privateKey, DATA))).toBe(false);
  });

  it("with an algorithm that the gateway does not know is refused", () => {
    const key = createKey("RS256");
    for (const alg of ["HS256", "none", "RS1", "rs256", "toString", ""])
      expect(isValid(key, alg, signatureOf("RS256", key.privateKey, DATA))).toBe(false);
  });
});
