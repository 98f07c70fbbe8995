import { createHmac, createPublicKey, generateKeyPairSync } from "node:crypto";
import fc from "fast-check";
import jwt from "jsonwebtoken";
import { createTokens, type TokenOptions } from "../../src/auth/tokens.ts";
import { codeOf, createClock, failureOf } from "./support.ts";

const SECRET = "an access secret of more than 32 bytes";
const OTHER = "another secret, it also is over 32 bytes";
const SUBJECT = { username: "ann", accountId: 7, scope: { stations: ["clicks"] } };
const MINUTE = 60_000;

const setUp = (options: Partial<TokenOptions> = {}) => {
  const clock = createClock();
  const tokens = createTokens({
    use: "access",
    keys: [{ kid: "one", secret: SECRET }],
    issuer: "stationgate",
    audience: "stationgate",
    now: clock.now,
    ...options,
  });
  return { clock, tokens };
};

const b64 = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString("base64url");
const payloadOf = (token: string) => jwt.decode(token) as jwt.JwtPayload;

/** Signs without a library, so that tests can use tokens that a library refuses to create. */
const forge = (header: object, payload: object, secret = SECRET, digest = "sha256"): string => {
  const signed = `${b64(header)}.${b64(payload)}`;
  return `${signed}.${createHmac(digest, secret).update(signed).digest("base64url")}`;
};

const HEADER = { alg: "HS256", typ: "JWT", kid: "one" };

describe("tokens", () => {
  it("have exactly the documented claims", () => {
    const { clock, tokens } = setUp();
    const token = tokens.issue(SUBJECT, 15 * MINUTE);
    const iat = clock.now() / 1000;
    expect(payloadOf(token)).toEqual({
      ...{ sub: "ann", iat, exp: iat + 900, iss: "stationgate", aud: "stationgate" },
      ...{ typ: "access", scope: { stations: ["clicks"] }, account_id: 7, jti: expect.any(String) as string },
    });
    expect(jwt.decode(token, { complete: true })?.header).toEqual({ alg: "HS256", typ: "JWT", kid: "one" });
  });

  it("have an account id only if it is given, and a unique jti", () => {
    const { tokens } = setUp();
    const plain = { username: "ann", accountId: undefined, scope: {} };
    const [one, two] = [payloadOf(tokens.issue(plain, MINUTE)), payloadOf(tokens.issue(plain, MINUTE))];
    expect(one).not.toHaveProperty("account_id");
    expect(one["scope"]).toEqual({});
    expect(one.jti).not.toBe(two.jti);
  });

  it("return their subject when they are verified", () => {
    const { clock, tokens } = setUp();
    const verified = tokens.verify(tokens.issue(SUBJECT, MINUTE));
    expect(verified).toMatchObject({ ...SUBJECT, notBefore: 0, expires: clock.now() + MINUTE });
  });

  it("use the secret as the raw HMAC key", () => {
    const { clock, tokens } = setUp();
    const payload = payloadOf(tokens.issue(SUBJECT, MINUTE));
    expect(tokens.verify(forge(HEADER, payload)).username).toBe("ann");
    expect(clock.now() / 1000).toBe(payload.iat);
  });

  it("are valid until the second of their expiry", async () => {
    const { clock, tokens } = setUp();
    const token = tokens.issue(SUBJECT, MINUTE);
    clock.advance(MINUTE - 1);
    expect(tokens.verify(token).username).toBe("ann");
    clock.advance(1);
    expect(await codeOf(() => tokens.verify(token))).toBe("UNAUTHORIZED");
  });

  it.each([
    ["no secret", [], "there is no secret"],
    ["an empty secret", [{ kid: "one", secret: "" }], "a token secret is empty"],
  ])("refuse %s at the start", (_what, keys, message) => {
    expect(() => setUp({ keys })).toThrow(message);
  });
});

describe("refusals of tokens have the same text for", () => {
  const { clock, tokens } = setUp();
  const genuine = tokens.issue(SUBJECT, 15 * MINUTE);
  const payload = payloadOf(genuine);
  const seconds = clock.now() / 1000;
  const without = (claim: string) =>
    Object.fromEntries(Object.entries(payload).filter(([name]) => name !== claim));
  const rsa = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const publicKey = createPublicKey(rsa.privateKey).export({ type: "spki", format: "pem" }).toString();
  const refresh = setUp({ use: "refresh" }).tokens.issue(SUBJECT, MINUTE);

  it.each([
    ["an empty text", ""],
    ["a letter", "x"],
    ["dots", ".."],
    ["a truncated token", genuine.slice(0, -1)],
    ["a token with a space", `${genuine} `],
    ["a token with padding", `${genuine}=`],
    ["a long token", "a".repeat(10_000)],
    ["a header that is not an object", `${b64("x")}.${b64("y")}.z`],
    ["a header that is not JSON", `${Buffer.from("{").toString("base64url")}.${b64({})}.z`],
    ["another secret", forge(HEADER, payload, OTHER)],
    ["an empty secret", forge(HEADER, payload, "")],
    ["alg none", `${b64({ alg: "none" })}.${b64(payload)}.`],
    ["alg None", `${b64({ alg: "None", kid: "one" })}.${b64(payload)}.`],
    ["alg none with a signature", forge({ ...HEADER, alg: "none" }, payload)],
    ["HS512", forge({ ...HEADER, alg: "HS512" }, payload, SECRET, "sha512")],
    ["HS384", forge({ ...HEADER, alg: "HS384" }, payload, SECRET, "sha384")],
    ["HS512 that is HS256", forge({ ...HEADER, alg: "HS512" }, payload)],
    ["RS256 that is HS256", forge({ ...HEADER, alg: "RS256" }, payload)],
    ["RS256", jwt.sign(payload, rsa.privateKey, { algorithm: "RS256", keyid: "one" })],
    ["a public key as the secret", forge(HEADER, payload, publicKey)],
    ["an unknown kid", forge({ alg: "HS256", kid: "two" }, payload)],
    ["a kid that is a number", forge({ alg: "HS256", kid: 1 }, payload)],
    ["expired now", forge(HEADER, { ...payload, exp: seconds })],
    ["expired before", forge(HEADER, { ...payload, exp: seconds - 1 })],
    ["exp as a text", forge(HEADER, { ...payload, exp: "9999999999" })],
    ["not yet valid", forge(HEADER, { ...payload, nbf: seconds + 10 })],
    ["nbf as a text", forge(HEADER, { ...payload, nbf: "0" })],
    ["another issuer", forge(HEADER, { ...payload, iss: "someone" })],
    ["another audience", forge(HEADER, { ...payload, aud: "someone" })],
    ["another type", forge(HEADER, { ...payload, typ: "refresh" })],
    ["a refresh token of the same secret", refresh],
    ["a username that is a number", forge(HEADER, { ...payload, sub: 7 })],
    ["an empty username", forge(HEADER, { ...payload, sub: "" })],
    ["a malformed scope", forge(HEADER, { ...payload, scope: { stations: "*" } })],
    ["a scope of another program", forge(HEADER, { ...payload, scope: { all: true } })],
    ["no claims", forge(HEADER, {})],
    ["claims that are a list", forge(HEADER, [])],
    ...["sub", "iat", "exp", "jti", "iss", "aud", "typ", "scope"].map((claim): [string, string] => [
      `no ${claim}`,
      forge(HEADER, without(claim)),
    ]),
  ])("%s", async (_what, token) => {
    const error = await failureOf(() => tokens.verify(token));
    expect(error).toMatchObject({ code: "UNAUTHORIZED", message: "Unauthorized" });
  });

  it("any change of any character", () => {
    const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.=";
    fc.assert(
      fc.property(fc.nat(genuine.length - 1), fc.constantFrom(...Array.from(alphabet)), (at, letter) => {
        fc.pre(genuine[at] !== letter);
        const changed = genuine.slice(0, at) + letter + genuine.slice(at + 1);
        expect(() => tokens.verify(changed)).toThrow("Unauthorized");
      }),
      { numRuns: 1000 },
    );
  });

  it("a change of the unused bits of the last character", () => {
    const bits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    for (const letter of bits.replace(genuine.slice(-1), ""))
      expect(() => tokens.verify(genuine.slice(0, -1) + letter)).toThrow("Unauthorized");
  });
});

describe("tokens during the rotation of their secret", () => {
  const before = setUp({ keys: [{ kid: "one", secret: SECRET }] }).tokens;
  const during = setUp({
    keys: [
      { kid: "two", secret: OTHER },
      { kid: "one", secret: SECRET },
    ],
  }).tokens;
  const after = setUp({ keys: [{ kid: "two", secret: OTHER }] }).tokens;

  it("are signed with the first secret", () => {
    expect(jwt.decode(during.issue(SUBJECT, MINUTE), { complete: true })?.header.kid).toBe("two");
  });

  it("are verified with every secret until it is removed", async () => {
    const old = before.issue(SUBJECT, MINUTE);
    expect(during.verify(old).username).toBe("ann");
    expect(after.verify(during.issue(SUBJECT, MINUTE)).username).toBe("ann");
    expect(await codeOf(() => after.verify(old))).toBe("UNAUTHORIZED");
  });

  it("are verified with every secret if they have no kid, and refused with the kid of another secret", async () => {
    const payload = payloadOf(before.issue(SUBJECT, MINUTE));
    expect(during.verify(forge({ alg: "HS256" }, payload)).username).toBe("ann");
    expect(await codeOf(() => during.verify(forge({ alg: "HS256", kid: "two" }, payload)))).toBe(
      "UNAUTHORIZED",
    );
  });

  it("stay bound to their credential", () => {
    const credential = Buffer.from("credential");
    const verified = during.verify(before.issue(SUBJECT, MINUTE, credential));
    expect(verified.isBoundTo(credential)).toBe(true);
    expect(verified.isBoundTo(Buffer.from("changed"))).toBe(false);
    expect(during.verify(before.issue(SUBJECT, MINUTE)).isBoundTo(credential)).toBe(false);
  });
});
