/** The sign-in with the identity provider, and every answer that does not belong to it. */
import { createHash } from "node:crypto";
import { FetchFailure } from "../../../src/auth/json-request.ts";
import type { GatewayError } from "../../../src/errors.ts";
import { ISSUER, type Json } from "../issuers/support.ts";
import { CLIENT_ID, DISCOVERY, idToken, openSignIn, PUBLIC_URL } from "./support.ts";

type Opened = Awaited<ReturnType<typeof openSignIn>>;

/** Signs in; `parameters` are added to those of a good answer. */
const signInAt = async (opened: Opened, parameters: Readonly<Record<string, string | undefined>> = {}) => {
  const { state, sealed } = await opened.begin();
  const given = new URLSearchParams();
  const all: Readonly<Record<string, string | undefined>> = { state, code: "the code", ...parameters };
  for (const [name, value] of Object.entries(all)) if (value !== undefined) given.set(name, value);
  return opened.signIn.finish(given, sealed);
};

const failureOf = async (work: Promise<unknown>) => {
  const error = (await work.then(
    () => undefined,
    (failure: unknown) => failure,
  )) as GatewayError | undefined;
  return error && [error.code, error.status, error.message];
};

const NOT_HOLD = ["SIGN_IN_FAILED", 401, "The identity provider's answer does not hold"];
const UNREACHABLE = ["SIGN_IN_FAILED", 503, "The identity provider is unreachable"];
const UNKNOWN = ["SIGN_IN_FAILED", 400, "This sign-in has expired or was begun in another browser"];

describe("the beginning", () => {
  it("asks the provider for a code, with PKCE", async () => {
    const { begin, signIn, fake } = await openSignIn();
    const { location, state, sealed, sent } = await begin();
    expect(location.startsWith("https://id.example/authorize?tenant=1&")).toBe(true);
    expect(Object.fromEntries(sent)).toEqual({
      tenant: "1",
      response_type: "code",
      client_id: CLIENT_ID,
      redirect_uri: `${PUBLIC_URL}/session/oidc/callback`,
      scope: "openid profile",
      state,
      nonce: expect.stringMatching(/^[\w-]{22}$/) as string,
      code_challenge: expect.stringMatching(/^[\w-]{43}$/) as string,
      code_challenge_method: "S256",
    });
    await signIn.finish(new URLSearchParams({ state, code: "c" }), sealed);
    const verifier = new URLSearchParams(fake.requests[0]?.body).get("code_verifier") ?? "";
    expect(createHash("sha256").update(verifier).digest("base64url")).toBe(sent.get("code_challenge"));
  });

  it("uses other values each time", async () => {
    const { begin } = await openSignIn();
    const [one, other] = [await begin(), await begin()];
    for (const name of ["state", "nonce", "code_challenge"])
      expect(one.sent.get(name)).not.toBe(other.sent.get(name));
  });

  it("fails with 503 if no discovery document was ever fetched", async () => {
    const { signIn } = await openSignIn({}, { isDown: true });
    const error = (await signIn.begin(null).catch((failure: unknown) => failure)) as GatewayError;
    expect([error.code, error.status, error.message]).toEqual(UNREACHABLE);
    expect(error.retryAfter).toBe(5);
  });

  it("uses the kept discovery document while the provider is unreachable", async () => {
    const { begin, issuer } = await openSignIn();
    issuer.state = "failing";
    expect((await begin()).location).toContain("https://id.example/authorize");
  });

  it.each([
    ["names no endpoint", { token_endpoint: undefined }],
    ["names an endpoint without TLS", { authorization_endpoint: "http://id.example/authorize" }],
  ])("fails with 503 if the discovery document %s", async (_, members) => {
    const opened = await openSignIn();
    opened.keys.adopt({
      jwks: opened.keys.kept?.jwks ?? [],
      discovery: { ...DISCOVERY, ...members },
      fetchedAt: Infinity,
    });
    const failure = (await opened.signIn.begin(null).catch((error: unknown) => error)) as GatewayError;
    expect(await failureOf(Promise.reject(failure))).toEqual(UNREACHABLE);
    expect(failure.cause).toContain("no authorization_endpoint or token_endpoint");
  });
});

describe("a good answer", () => {
  it("identifies the operator, and keeps the path", async () => {
    const { begin, signIn } = await openSignIn();
    const { state, sealed } = await begin("/#/stations/orders");
    const parameters = new URLSearchParams({ state, code: "c", iss: ISSUER });
    expect(await signIn.finish(parameters, sealed)).toEqual({
      operator: { name: "Ann", role: "operator", sub: "ann" },
      returnTo: "/#/stations/orders",
    });
  });

  it("is accepted for each tab by itself", async () => {
    const { begin, signIn, fake } = await openSignIn();
    const one = await begin();
    const tokenOfOne = fake.token({ url: "" });
    const other = await begin();
    await signIn.finish(new URLSearchParams({ state: other.state, code: "c" }), other.sealed);
    fake.token = () => tokenOfOne;
    await signIn.finish(new URLSearchParams({ state: one.state, code: "c" }), one.sealed);
  });

  it.each<[string, Json]>([
    ["one audience in a list", { aud: [CLIENT_ID] }],
    ["several audiences and azp", { aud: ["another", CLIENT_ID], azp: CLIENT_ID }],
    ["members of ID tokens", { typ: "ID", at_hash: "x" }],
    ["a clock 30 s ahead", { iat: 1_700_000_029 }],
  ])("may have %s", async (_, claims) => {
    const opened = await openSignIn();
    opened.fake.claims = claims;
    expect((await signInAt(opened)).operator.name).toBe("Ann");
  });

  it("may arrive within ten minutes", async () => {
    const opened = await openSignIn();
    const { state, sealed } = await opened.begin();
    opened.clock.advance(599_000);
    opened.fake.claims = { exp: opened.clock.now() / 1000 + 60 };
    await opened.signIn.finish(new URLSearchParams({ state, code: "c" }), sealed);
  });
});

describe("an answer of another sign-in", () => {
  it.each<[string, (opened: Opened) => Promise<unknown>]>([
    [
      "without a cookie",
      async ({ signIn, begin }) =>
        signIn.finish(new URLSearchParams({ state: (await begin()).state, code: "c" }), undefined),
    ],
    [
      "with the cookie of another sign-in",
      async ({ signIn, begin }) => {
        const [one, other] = [await begin(), await begin()];
        return signIn.finish(new URLSearchParams({ state: one.state, code: "c" }), other.sealed);
      },
    ],
    ["with another state", (opened) => signInAt(opened, { state: "A".repeat(22) })],
    ["without a state", (opened) => signInAt(opened, { state: undefined })],
    [
      "with two states",
      async ({ signIn, begin }) => {
        const { state, sealed } = await begin();
        return signIn.finish(
          new URLSearchParams([
            ["state", state],
            ["state", state],
            ["code", "c"],
          ]),
          sealed,
        );
      },
    ],
    [
      "with a cookie of ten minutes ago",
      async ({ signIn, begin, clock }) => {
        const { state, sealed } = await begin();
        clock.advance(600_000);
        return signIn.finish(new URLSearchParams({ state, code: "c" }), sealed);
      },
    ],
    [
      "with a changed cookie",
      async ({ signIn, begin }) => {
        const { state, sealed } = await begin();
        return signIn.finish(
          new URLSearchParams({ state, code: "c" }),
          sealed.replace(/^./, (first) => (first === "A" ? "B" : "A")),
        );
      },
    ],
  ])("is refused with 400 %s, and no code is exchanged", async (_, finish) => {
    const opened = await openSignIn();
    expect(await failureOf(finish(opened))).toEqual(UNKNOWN);
    expect(opened.fake.requests).toEqual([]);
  });

  it("is refused if it is of another gateway", async () => {
    const [one, other] = [
      await openSignIn(),
      await openSignIn({}, { sealer: { seal: () => "x", open: () => ["a"] } }),
    ];
    const { state, sealed } = await one.begin();
    expect(await failureOf(other.signIn.finish(new URLSearchParams({ state, code: "c" }), sealed))).toEqual(
      UNKNOWN,
    );
  });
});

describe("a refusal of the provider", () => {
  it.each([
    ["access_denied", "The identity provider refused: access_denied"],
    ["<script>", "The identity provider refused"],
    ["Access_denied", "The identity provider refused"],
    ["a".repeat(65), "The identity provider refused"],
    ["", "The identity provider refused"],
  ])("is 403 with its error code: %s", async (error, message) => {
    const opened = await openSignIn();
    const answer = signInAt(opened, { code: undefined, error, error_description: "You may not" });
    expect(await failureOf(answer)).toEqual(["SIGN_IN_FAILED", 403, message]);
  });
});

describe("an answer that does not hold", () => {
  it.each<[string, Record<string, string | undefined>]>([
    ["of another issuer (RFC 9207)", { iss: "https://evil.example" }],
    ["of another issuer that refuses", { iss: "https://evil.example", error: "access_denied" }],
    ["without a code", { code: undefined }],
    ["with an empty code", { code: "" }],
  ])("is refused %s, and no code is exchanged", async (_, parameters) => {
    const opened = await openSignIn();
    expect(await failureOf(signInAt(opened, parameters))).toEqual(NOT_HOLD);
    expect(opened.fake.requests).toEqual([]);
  });

  it.each<[string, Json]>([
    ["with another nonce", { nonce: "another" }],
    ["without a nonce", { nonce: undefined }],
    ["of another issuer", { iss: "https://evil.example" }],
    ["for another client", { aud: "another" }],
    ["for several clients, without azp", { aud: ["another", CLIENT_ID] }],
    ["for several clients, with the azp of another", { aud: ["another", CLIENT_ID], azp: "another" }],
    ["that has expired", { exp: 1_699_999_969 }],
    ["that is not yet valid", { iat: 1_700_000_031 }],
    ["without iat", { iat: undefined }],
    ["without sub", { sub: undefined }],
  ])("is refused with an ID token %s", async (_, claims) => {
    const opened = await openSignIn();
    opened.fake.claims = claims;
    expect(await failureOf(signInAt(opened))).toEqual(NOT_HOLD);
  });

  it.each<[string, () => Partial<{ status: number; value: unknown }> | Error]>([
    ["that refuses a code which is used twice", () => ({ status: 400, value: { error: "invalid_grant" } })],
    ["that redirects", () => ({ status: 302 })],
    ["that is no JSON", () => ({ value: undefined })],
    ["that is a list", () => ({ value: [] })],
    ["without an ID token", () => ({ value: { access_token: "a", token_type: "Bearer" } })],
    ["with a changed ID token", () => ({ value: { id_token: `${idToken("n").slice(0, -4)}AAAA` } })],
    ["over 256 KiB", () => new FetchFailure("too much")],
  ])("is refused with an answer of the token endpoint %s", async (_, token) => {
    const opened = await openSignIn();
    opened.fake.token = token;
    const failure = (await signInAt(opened).catch((error: unknown) => error)) as GatewayError;
    expect([failure.code, failure.status, failure.message]).toEqual(NOT_HOLD);
    expect(failure.headers).toEqual({ "WWW-Authenticate": "Bearer" });
  });

  it.each<[string, () => { status: number } | Error]>([
    ["can't be reached", () => new Error("ECONNREFUSED")],
    ["fails", () => ({ status: 500 })],
    ["has too much to do", () => ({ status: 429 })],
  ])("is 503 if the token endpoint %s", async (_, token) => {
    const opened = await openSignIn();
    opened.fake.token = token;
    expect(await failureOf(signInAt(opened))).toEqual(UNREACHABLE);
  });
});

describe("the client's credential", () => {
  const sentBy = async (secret: string | undefined, methods?: readonly string[]) => {
    const opened = await openSignIn({ clientSecret: secret });
    const discovery = { ...DISCOVERY, token_endpoint_auth_methods_supported: methods };
    opened.keys.adopt({ jwks: opened.keys.kept?.jwks ?? [], discovery, fetchedAt: opened.clock.now() + 1 });
    await signInAt(opened);
    const [{ headers, body }] = opened.fake.requests as [(typeof opened.fake.requests)[0]];
    const { client_id: id, client_secret: given } = Object.fromEntries(new URLSearchParams(body));
    return { header: headers?.authorization, id, given };
  };
  const basic = (pair: string) => `Basic ${Buffer.from(pair).toString("base64")}`;

  it("is in the header, form-encoded", async () => {
    expect(await sentBy("a b:c+é")).toEqual({
      header: basic("stationgate:a+b%3Ac%2B%C3%A9"),
      id: undefined,
      given: undefined,
    });
    expect((await sentBy("s", ["client_secret_post", "client_secret_basic"])).header).toBe(
      basic("stationgate:s"),
    );
  });

  it("is in the body if the provider takes it only there", async () => {
    expect(await sentBy("s", ["private_key_jwt", "client_secret_post"])).toEqual({
      header: undefined,
      id: CLIENT_ID,
      given: "s",
    });
  });

  it("is only the id for a public client", async () => {
    expect(await sentBy(undefined)).toEqual({ header: undefined, id: CLIENT_ID, given: undefined });
  });
});

describe("the role", () => {
  const roleBy = async (claims: Json, userinfo?: Json) => {
    const opened = await openSignIn();
    opened.fake.claims = claims;
    if (userinfo !== undefined) opened.fake.userinfo = { value: userinfo };
    return { opened, finished: signInAt(opened) };
  };

  it("is the highest of the ID token, and userinfo is not asked", async () => {
    const { opened, finished } = await roleBy({ groups: ["staff", "admins", "ops"] });
    expect((await finished).operator.role).toBe("admin");
    expect(opened.fake.requests).toHaveLength(1);
  });

  it.each<[string, Json]>([
    ["is absent", { groups: undefined, preferred_username: undefined }],
    ["was left out", { groups: undefined, preferred_username: undefined, _claim_names: { groups: "src1" } }],
  ])("is that of userinfo if the claim %s", async (_, claims) => {
    const { opened, finished } = await roleBy(claims, {
      sub: "ann",
      groups: "x staff",
      preferred_username: "Ann of userinfo",
    });
    expect((await finished).operator).toEqual({ name: "Ann of userinfo", role: "viewer", sub: "ann" });
    expect(opened.fake.requests[1]).toEqual({
      url: DISCOVERY["userinfo_endpoint"],
      headers: { authorization: "Bearer access" },
    });
  });

  it("is never that of another subject", async () => {
    const { finished } = await roleBy({ groups: undefined }, { sub: "eve", groups: ["admins"] });
    expect(await failureOf(finished)).toEqual(NOT_HOLD);
  });

  it.each<[string, Json, Json | undefined]>([
    ["other groups", { groups: ["others"] }, undefined],
    ["an empty list", { groups: [] }, undefined],
    ["no groups in userinfo either", { groups: undefined }, { sub: "ann" }],
  ])("is missing with %s: 403", async (_, claims, userinfo) => {
    const { finished } = await roleBy(claims, userinfo);
    const message = "Signed in as Ann, but without a role here";
    expect(await failureOf(finished)).toEqual(["SIGN_IN_FAILED", 403, message]);
  });
});

describe("the end of the session at the provider", () => {
  it("has a URL only if the settings and the provider have it", async () => {
    const [on, off] = [await openSignIn({ endSession: true }), await openSignIn()];
    const parameters = new URLSearchParams({
      client_id: CLIENT_ID,
      post_logout_redirect_uri: `${PUBLIC_URL}/`,
    });
    expect(on.signIn.endSessionUrl()).toBe(`https://id.example/logout?${parameters.toString()}`);
    expect(off.signIn.endSessionUrl()).toBeUndefined();
  });
});
