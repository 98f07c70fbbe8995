/** The attacks of RFC 8725 and the order of the checks. The issuer's keys have arrived. */
import { failureOf } from "../support.ts";
import {
  CHECK,
  claimsOf,
  compact,
  createFakeIssuer,
  createKey,
  hmacToken,
  type Json,
  openCheck,
  signedTexts,
  START,
  tokenOf,
} from "./support.ts";

const RSA = createKey("RS256");
const EC = createKey("ES256", { kid: "ec" });
const P384 = createKey("ES384", { kid: "p384" });
const HUGE = { iss: CHECK.issuer, aud: CHECK.audiences[0], sub: "ann", exp: 1e10 };
const NOW = START / 1000;

const open = (options = {}) => openCheck(createFakeIssuer(RSA, EC, P384), options);

/** The reason for which the token is refused. */
const reasonOf = async (token: string, options = {}): Promise<unknown> => {
  const { check } = await open(options);
  const failure = await failureOf(() => check(token));
  expect(failure).toMatchObject({ code: "UNAUTHORIZED", message: "Unauthorized" });
  return failure.cause;
};

const header = (members: Json): string => tokenOf(RSA, {}, members);
const claims = (members: Json): string => tokenOf(RSA, members);

describe("a token of another issuer", () => {
  it("is accepted without a promise, with its subject and its times", async () => {
    const { check } = await open();
    expect(check(claims({ nbf: NOW - 60, iat: NOW - 50 }))).toMatchObject({
      subject: "ann",
      header: { alg: "RS256" },
      claims: { sub: "ann" },
      notBefore: (NOW - 50) * 1000 - 30_000,
      expires: (NOW + 300) * 1000 + 30_000,
    });
    expect(check(tokenOf(EC))).toMatchObject({ subject: "ann" });
  });

  it.each(["at+jwt", "AT+JWT", "application/at+jwt", "Application/JWT", "jwt", undefined])(
    "may have the typ %s",
    async (typ) => {
      const { check } = await open();
      expect(check(header({ typ }))).toMatchObject({ subject: "ann" });
    },
  );

  it.each([
    ["as a list", { aud: ["other", "stationgate"] }],
    ["with times as fractions", { exp: NOW + 0.5, nbf: NOW - 0.5 }],
    ["with times within the tolerance", { exp: NOW - 29, nbf: NOW + 29, iat: NOW + 29 }],
    ["with a name in another script", { sub: "Ж 🙂" }],
    ["with a long subject", { sub: "x".repeat(256) }],
    ["with a typ of its own", { typ: "Bearer" }],
    ["with a nonce and an azp", { nonce: "n", azp: "client" }],
  ])("may have its claims %s", async (_, members) => {
    const { check } = await open();
    expect(() => check(claims(members))).not.toThrow();
  });

  it("may carry keys and addresses of keys, which are not read", async () => {
    const { check } = await open();
    const members = { jku: "http://127.0.0.1:1/", x5u: "http://127.0.0.1:1/", x5c: ["x"], x5t: "x" };
    expect(check(header({ ...members, jwk: createKey("RS256").jwk }))).toMatchObject({ subject: "ann" });
    expect(
      await reasonOf(
        signedTexts(
          createKey("RS256"),
          JSON.stringify({ alg: "RS256", kid: "one", jwk: createKey("RS256").jwk }),
          JSON.stringify(HUGE),
        ),
      ),
    ).toBe("wrong signature");
  });

  it.each([
    ["two parts", "a.b", "malformed token"],
    [
      "a member twice",
      signedTexts(RSA, '{"alg":"RS256","alg":"RS256"}', JSON.stringify(HUGE)),
      "malformed token",
    ],
    [
      "the issuer twice",
      signedTexts(RSA, '{"alg":"RS256"}', JSON.stringify(HUGE).replace("{", '{"iss":"x",')),
      "malformed token",
    ],
    ["more than maxTokenSize", claims({ more: "x".repeat(12_288) }), "malformed token"],
    ["another issuer", claims({ iss: `${CHECK.issuer}/` }), "unknown issuer"],
    ["no issuer", claims({ iss: undefined }), "unknown issuer"],
    ["its issuer in a list", claims({ iss: [CHECK.issuer] }), "unknown issuer"],
    ["alg none", compact('{"alg":"none"}', JSON.stringify(HUGE), Buffer.alloc(0)), "algorithm not allowed"],
    ["alg None", compact('{"alg":"None"}', JSON.stringify(HUGE), Buffer.alloc(0)), "algorithm not allowed"],
    ["no alg", header({ alg: undefined }), "algorithm not allowed"],
    ["alg in a list", header({ alg: ["RS256"] }), "algorithm not allowed"],
    [
      "an HMAC with the public key in PEM",
      hmacToken(RSA, RSA.publicKey.export({ type: "spki", format: "pem" })),
      "algorithm not allowed",
    ],
    [
      "an HMAC with the public key in DER",
      hmacToken(RSA, RSA.publicKey.export({ type: "spki", format: "der" })),
      "algorithm not allowed",
    ],
    ["an HMAC with the modulus", hmacToken(RSA, String(RSA.jwk["n"])), "algorithm not allowed"],
    ["an algorithm that is not configured", tokenOf(P384), "algorithm not allowed"],
    ["another typ", header({ typ: "logout+jwt" }), "wrong token type"],
    ["typ that is no text", header({ typ: ["JWT"] }), "wrong token type"],
    ["an empty typ", header({ typ: "" }), "wrong token type"],
    ["crit", header({ crit: ["exp"], exp: 1 }), "malformed token"],
    ["an empty crit", header({ crit: [] }), "malformed token"],
    ["kid that is no text", header({ kid: 1 }), "malformed token"],
    ["kid null", header({ kid: null }), "malformed token"],
    ["a long kid", header({ kid: "k".repeat(257) }), "malformed token"],
    ["an unknown kid", header({ kid: "other" }), "unknown key"],
    ["no kid and two keys that fit", header({ kid: undefined, alg: "EdDSA" }), "algorithm not allowed"],
    ["the kid of a key of another type", header({ kid: "ec" }), "unknown key"],
    ["the kid of a key of another curve", tokenOf(EC, {}, { kid: "p384" }), "unknown key"],
    [
      "the signature of another key",
      tokenOf({ ...RSA, privateKey: createKey("RS256").privateKey }),
      "wrong signature",
    ],
    [
      "another payload",
      tokenOf(RSA).replace(/\.[^.]+\./, `.${Buffer.from(JSON.stringify(HUGE)).toString("base64url")}.`),
      "wrong signature",
    ],
    ["no signature", tokenOf(RSA).replace(/\.[^.]+$/, "."), "wrong signature"],
    ["no exp", claims({ exp: undefined }), "expired"],
    ["exp as a text", claims({ exp: String(NOW + 300) }), "expired"],
    ["exp null", claims({ exp: null }), "expired"],
    ["exp in a list", claims({ exp: [NOW + 300] }), "expired"],
    [
      "exp infinite",
      signedTexts(
        RSA,
        '{"alg":"RS256","kid":"one"}',
        JSON.stringify(claimsOf()).replace(/"exp":\d+/, '"exp":1e999'),
      ),
      "expired",
    ],
    ["exp beyond the tolerance", claims({ exp: NOW - 30 }), "expired"],
    ["nbf beyond the tolerance", claims({ nbf: NOW + 31 }), "not yet valid"],
    ["iat beyond the tolerance", claims({ iat: NOW + 31 }), "not yet valid"],
    ["nbf as a text", claims({ nbf: "0" }), "not yet valid"],
    ["iat null", claims({ iat: null }), "not yet valid"],
    ["another audience", claims({ aud: "other" }), "wrong audience"],
    ["no audience", claims({ aud: undefined }), "wrong audience"],
    ["a part of the audience", claims({ aud: "stationgate2" }), "wrong audience"],
    ["an empty list of audiences", claims({ aud: [] }), "wrong audience"],
    ["the audience in a nested list", claims({ aud: [["stationgate"]] }), "wrong audience"],
    ["the audience as an object", claims({ aud: { 0: "stationgate" } }), "wrong audience"],
    ["no subject", claims({ sub: undefined }), "no subject"],
    ["an empty subject", claims({ sub: "" }), "no subject"],
    ["a subject that is no text", claims({ sub: 7 }), "no subject"],
    ["a subject of 257 characters", claims({ sub: "x".repeat(257) }), "no subject"],
    ["a line feed in the subject", claims({ sub: "a\nb" }), "no subject"],
    ["a format character in the subject", claims({ sub: "a\u202eb" }), "no subject"],
    ["half of a surrogate pair in the subject", claims({ sub: "a\ud800" }), "no subject"],
    ["at_hash", claims({ at_hash: "x" }), "wrong token type"],
    ["c_hash", claims({ c_hash: null }), "wrong token type"],
    ["events", claims({ events: {} }), "wrong token type"],
    ["the typ of an ID token", claims({ typ: "ID" }), "wrong token type"],
    ["the typ of a refresh token", claims({ typ: "Refresh" }), "wrong token type"],
    ["the typ of an offline token", claims({ typ: "Offline" }), "wrong token type"],
    ["the typ of a logout token", claims({ typ: "Logout" }), "wrong token type"],
  ])("is refused with %s", async (_, token, reason) => {
    expect(await reasonOf(token)).toBe(reason);
  });

  it("is refused if one of its characters changes", async () => {
    const { check } = await open();
    const token = tokenOf(EC);
    for (let i = 0; i < token.length; i += 1) {
      const other = token[i] === "A" ? "B" : "A";
      const changed = token.slice(0, i) + other + token.slice(i + 1);
      expect(await failureOf(() => check(changed))).toMatchObject({ code: "UNAUTHORIZED" });
    }
  });

  it("has a signature of ECDSA with exactly the length of the curve", async () => {
    const [head = "", payload = "", signature = ""] = tokenOf(EC).split(".");
    const bytes = Buffer.from(signature, "base64url");
    for (const wrong of [
      bytes.subarray(1),
      Buffer.concat([bytes, bytes]),
      Buffer.concat([Buffer.alloc(2), bytes]),
    ])
      expect(await reasonOf(`${head}.${payload}.${wrong.toString("base64url")}`)).toBe("wrong signature");
  });

  it("needs the only key that fits if it has no kid", async () => {
    const { check } = await openCheck(createFakeIssuer(RSA, EC));
    expect(check(tokenOf(RSA, {}, { kid: undefined }))).toMatchObject({ subject: "ann" });
    const two = await openCheck(createFakeIssuer(RSA, createKey("RS256", { kid: "two" })));
    expect(await failureOf(() => two.check(tokenOf(RSA, {}, { kid: undefined })))).toMatchObject({
      cause: "unknown key",
    });
  });

  it("is named by the configured claim", async () => {
    const { check } = await open({ subject: "/client/id" });
    expect(check(claims({ client: { id: "till-7" } }))).toMatchObject({ subject: "till-7" });
    expect(await reasonOf(claims({}), { subject: "client_id" })).toBe("no subject");
  });

  it("of a sign-in may be an ID token where that is expected", async () => {
    const { check } = await open({ acceptsIdTokens: true });
    expect(check(claims({ at_hash: "x", nonce: "n" }))).toMatchObject({ subject: "ann" });
  });
});

describe("a token that was accepted", () => {
  const accepted = async (members: Json = {}) => {
    const issuer = createFakeIssuer(RSA, EC);
    const opened = await openCheck(issuer);
    return { issuer, ...opened, token: await opened.check(tokenOf(RSA, members)) };
  };

  it("is renewed as long as its key is in the set, whatever its expiry is", async () => {
    const { clock, renewed, token } = await accepted();
    clock.advance(3_600_000);
    expect(renewed(token)).toEqual(token);
  });

  it("is not renewed when its key has left the set", async () => {
    const { issuer, clock, renewed, token } = await accepted();
    issuer.keys = [EC.jwk, createKey("RS256").jwk];
    clock.advance(600_000);
    await new Promise(setImmediate);
    expect(renewed(token)).toBeUndefined();
  });

  it.each([
    ["another audience", { audiences: ["other"] }],
    ["other algorithms", { algorithms: ["ES256"] }],
    ["other types", { types: ["JWT"] }],
    ["another subject", { subject: "client_id" }],
    ["another issuer", { issuer: "https://other.example" }],
  ])("is not renewed under settings with %s", async (_, options) => {
    const { token } = await accepted();
    const { renewed } = await open(options);
    expect(renewed(token)).toBeUndefined();
  });

  it("is renewed with its present subject", async () => {
    const { token } = await accepted({ client_id: "till" });
    const { renewed } = await open({ subject: "client_id" });
    expect(renewed(token)?.subject).toBe("till");
  });

  it("is renewed while keys of changed settings have not arrived yet", async () => {
    const { token } = await accepted();
    const { renewed } = await openCheck(createFakeIssuer(RSA), {}, { state: "failing" });
    expect(renewed(token)).toEqual(token);
  });
});
