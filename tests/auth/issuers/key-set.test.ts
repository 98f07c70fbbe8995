import { parseKeySet } from "../../../src/auth/issuers/key-set.ts";
import { present } from "../support.ts";
import { createKey, type Json } from "./support.ts";

const RSA = createKey("RS256", { kid: "rsa", use: "sig" });
const EC = createKey("ES256", { kid: "ec" });
const ED = createKey("EdDSA", { kid: "ed" });

const setOf = (...keys: readonly unknown[]) => present(parseKeySet({ keys }));
const kidOf = (chosen: ReturnType<ReturnType<typeof setOf>["choose"]>): string | undefined =>
  typeof chosen === "string" ? chosen : chosen.kid;

describe("a key set", () => {
  it("chooses the key by kid and algorithm", () => {
    const set = setOf(RSA.jwk, EC.jwk, ED.jwk);
    expect(
      [
        ["rsa", "RS256"],
        ["rsa", "PS512"],
        ["ec", "ES256"],
        ["ed", "EdDSA"],
      ].map(([kid, alg]) => kidOf(set.choose(kid, alg ?? ""))),
    ).toEqual(["rsa", "rsa", "ec", "ed"]);
  });

  it("has no key for an unknown kid, and none that fits for a known kid with another algorithm", () => {
    const set = setOf(RSA.jwk, EC.jwk);
    expect(set.choose("other", "RS256")).toBe("unknown");
    expect(set.choose("", "RS256")).toBe("unknown");
    expect(set.choose("rsa", "ES256")).toBe("unfit");
    expect(set.choose("ec", "ES384")).toBe("unfit");
    expect(set.choose("ec", "RS256")).toBe("unfit");
    expect(set.choose("rsa", "HS256")).toBe("unfit");
  });

  it("uses a key only with its own alg and use", () => {
    const set = setOf(
      createKey("RS256", { kid: "a", alg: "RS256" }).jwk,
      createKey("RS256", { kid: "b", use: "other" }).jwk,
    );
    expect(kidOf(set.choose("a", "RS256"))).toBe("a");
    expect(set.choose("a", "PS256")).toBe("unfit");
    expect(set.choose("b", "RS256")).toBe("unfit");
  });

  it("uses none of two keys that have one kid and fit", () => {
    const [one, other] = [createKey("RS256", { kid: "x" }), createKey("RS256", { kid: "x" })];
    const set = setOf(one.jwk, other.jwk, createKey("ES256", { kid: "x" }).jwk);
    expect(set.choose("x", "RS256")).toBe("unfit");
    expect(kidOf(set.choose("x", "ES256"))).toBe("x");
  });

  it("chooses the only key that fits for a token without kid", () => {
    const bare = createKey("ES384", { kid: undefined });
    const set = setOf(RSA.jwk, EC.jwk, bare.jwk, createKey("RS256", { kid: "second" }).jwk);
    expect(kidOf(set.choose(undefined, "ES256"))).toBe("ec");
    expect(set.choose(undefined, "ES384")).toMatchObject({ crv: "P-384", kid: undefined });
    expect(set.choose(undefined, "RS256")).toBe("unknown");
    expect(set.choose(undefined, "EdDSA")).toBe("unknown");
  });

  it("leaves out keys that can't verify tokens, with the reason", () => {
    const broken: readonly Json[] = [
      { kty: "oct", kid: "oct", k: "AAAA" },
      createKey("RS256", { kid: "short" }, 1024).jwk,
      { ...EC.jwk, kid: "off", y: Buffer.alloc(32, 5).toString("base64url") },
      { ...ED.jwk, kid: "ed-off", x: Buffer.alloc(32, 2).toString("base64url") },
      { ...RSA.jwk, kid: "enc", use: "enc" },
      { ...RSA.jwk, kid: "no-n", n: undefined },
      { ...RSA.jwk, kid: "list", n: [1] },
      { kty: "EC", kid: "k1", crv: "secp256k1", x: "AA", y: "AA" },
      { kty: "AKP", kid: "k".repeat(100) },
    ];
    const set = setOf(...broken, null, 7, RSA.jwk);
    expect(set.keys.map(({ kid }) => kid)).toEqual(["rsa"]);
    expect(set.leftOut).toEqual([
      "oct: its kty or its curve is not supported",
      "short: has only 1024 bits",
      "off: is not valid",
      "ed-off: is not valid",
      "enc: is for encryption",
      "no-n: is not valid",
      "list: is not valid",
      "k1: its kty or its curve is not supported",
      `${"k".repeat(64)}…: its kty or its curve is not supported`,
      "(no kid): is not an object",
      "(no kid): is not an object",
    ]);
  });

  it("has at most 64 keys", () => {
    const many = Array.from({ length: 64 }, (_, i) => ({ ...EC.jwk, kid: `k${i}` }));
    const set = setOf(...many, RSA.jwk);
    expect(set.keys).toHaveLength(64);
    expect(set.choose("rsa", "RS256")).toBe("unknown");
  });

  it("is the same for the same keys in another order, and another one after a change", () => {
    const id = setOf(RSA.jwk, EC.jwk).id;
    expect(setOf(EC.jwk, { ...RSA.jwk, x5c: ["ignored"] }).id).toBe(id);
    expect(setOf(EC.jwk).id).not.toBe(id);
    expect(setOf(createKey("RS256", { kid: "rsa", use: "sig" }).jwk, EC.jwk).id).not.toBe(id);
  });

  it("keeps no private members, and makes the same set in another process", () => {
    const secret = RSA.privateKey.export({ format: "jwk" });
    const set = setOf({ ...secret, kid: "rsa", use: "sig" }, EC.jwk);
    expect(JSON.stringify(set.jwks)).not.toContain(String(secret.d));
    expect(setOf(...set.jwks).id).toBe(set.id);
  });

  it.each([undefined, null, "x", [], {}, { keys: {} }, { keys: "x" }])("is not %j", (document) => {
    expect(parseKeySet(document)).toBeUndefined();
  });

  it("may be empty", () => {
    expect(setOf().choose(undefined, "RS256")).toBe("unknown");
  });
});
