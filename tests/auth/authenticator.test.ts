import { bearerToken, createAuthenticator, type Credentials } from "../../src/auth/authenticator.ts";
import { unauthorized, verifiedPrincipal } from "../../src/auth/principal.ts";
import { failureOf } from "./support.ts";

const principalNamed = (name: string) =>
  verifiedPrincipal({
    kind: "account",
    name,
    mayProduce: () => true,
    mayConsume: () => true,
    origins: [],
    limits: {},
  });

/** Accepts the token `good`, and the key `good` without an id or with the id `id`. The principal's name shows which. */
const authenticate = createAuthenticator({
  verifyBearer: (token) => {
    if (token !== "good") throw unauthorized("invalid token");
    return principalNamed("token");
  },
  verifyApiKey: ({ id, key, address }) => {
    if (key !== "good") throw unauthorized("wrong api key");
    return principalNamed(`key of ${id ?? "?"} from ${address}`);
  },
  verifyCertificate: () => principalNamed("certificate"),
});
const CERTIFICATE = {
  names: { cn: "a", uri: [], dns: [], email: [] },
  notAfter: Infinity,
  isTrusted: () => true,
};
const from = (given: Omit<Credentials, "address">) => authenticate({ ...given, address: "192.0.2.1" });
const basic = (text: string) => `Basic ${Buffer.from(text).toString("base64")}`;

describe("authenticator", () => {
  it.each([
    ["Bearer", { authorizationHeader: "Bearer good" }, "token"],
    ["Bearer with a colon", { authorizationHeader: "Bearer: good" }, "token"],
    ["bearer in lower case", { authorizationHeader: "bearer good" }, "token"],
    ["BEARER", { authorizationHeader: "BEARER good" }, "token"],
    ["the query", { queryToken: "good" }, "token"],
    ["X-Api-Key", { apiKeyHeader: "good" }, "key of ? from 192.0.2.1"],
    ["ApiKey", { authorizationHeader: "ApiKey good" }, "key of ? from 192.0.2.1"],
    ["Basic", { authorizationHeader: basic("id:good") }, "key of id from 192.0.2.1"],
    ["the certificate", { certificate: CERTIFICATE }, "certificate"],
    ["the query before the certificate", { queryToken: "good", certificate: CERTIFICATE }, "token"],
    ["the header before the query", { authorizationHeader: "Bearer good", queryToken: "x" }, "token"],
    ["the header before X-Api-Key", { authorizationHeader: "Bearer good", apiKeyHeader: "x" }, "token"],
    ["X-Api-Key before the query", { apiKeyHeader: "good", queryToken: "x" }, "key of ? from 192.0.2.1"],
  ])("accepts %s without a promise", (_what, given, name) => {
    expect(from(given)).toMatchObject({ name });
  });

  it.each([
    ["no credential", {}],
    ["an empty header", { authorizationHeader: "" }],
    ["an empty header with a valid query", { authorizationHeader: "", queryToken: "good" }],
    ["a wrong header with a valid query", { authorizationHeader: "Bearer x", queryToken: "good" }],
    ["a wrong header with a valid key", { authorizationHeader: "Bearer x", apiKeyHeader: "good" }],
    ["two spaces", { authorizationHeader: "Bearer  good" }],
    ["no space", { authorizationHeader: "Bearergood" }],
    ["two colons", { authorizationHeader: "Bearer:: good" }],
    ["a colon after another scheme", { authorizationHeader: "ApiKey: good" }],
    ["a tab", { authorizationHeader: "Bearer\tgood" }],
    ["a space before the scheme", { authorizationHeader: " Bearer good" }],
    ["a space after the token", { authorizationHeader: "Bearer good " }],
    ["two tokens", { authorizationHeader: "Bearer good good" }],
    ["the scheme alone", { authorizationHeader: "Bearer" }],
    ["the token alone", { authorizationHeader: "good" }],
    ["another scheme", { authorizationHeader: "Token good" }],
    ["Basic without a colon", { authorizationHeader: basic("good") }],
    ["Basic that is not base64", { authorizationHeader: "Basic id:good" }],
    ["an empty query", { queryToken: "" }],
    ["an empty key", { apiKeyHeader: "" }],
    ["an empty key with a valid query", { apiKeyHeader: "", queryToken: "good" }],
  ])("refuses %s", async (_what, given) => {
    expect(await failureOf(() => from(given))).toMatchObject({
      code: "UNAUTHORIZED",
      message: "Unauthorized",
    });
  });

  it("reads the token of a bearer header", () => {
    expect(["Bearer a.b", "ApiKey a.b", "", basic("a:b")].map(bearerToken)).toEqual([
      "a.b",
      undefined,
      undefined,
      undefined,
    ]);
  });
});
