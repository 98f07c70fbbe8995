/** Client credentials at a token endpoint: the request, and the texts of failures. */
import { createTokenFetch } from "../../../../src/broker/kafka/sign-in/token-endpoint.ts";
import { LIFETIME_S, startTokenEndpoint } from "../../../support/kafka/token-endpoint.ts";

const URL = "https://id.example/token";
const endpoint = { url: URL, clientId: "a", clientSecret: "hush", scope: undefined, audience: undefined };

describe("a token endpoint", () => {
  it("gets the client's credentials in the header, and the scope and the audience in the form", async () => {
    const server = await startTokenEndpoint(() => "one");
    const fetch = createTokenFetch({ endpoint: server.settings, post: server.post, timeout: 5000 });
    expect(await fetch()).toEqual({ token: "one", lifetime: LIFETIME_S * 1000 });
    await server.stop();
    const [{ headers, form } = { headers: {}, form: new URLSearchParams() }] = server.requests;
    const pair = Buffer.from("gateway+one:correct%3Ahorse").toString("base64");
    expect(headers).toMatchObject({
      authorization: `Basic ${pair}`,
      "content-type": "application/x-www-form-urlencoded",
    });
    expect(Object.fromEntries(form)).toEqual({
      grant_type: "client_credentials",
      scope: "kafka",
      audience: "cluster",
    });
  });

  const fetchOf = (answer: { status: number; value: unknown } | Error) =>
    createTokenFetch({
      endpoint,
      timeout: 1000,
      post: () => (answer instanceof Error ? Promise.reject(answer) : Promise.resolve(answer)),
    })();

  it("gives five minutes to a token without a lifetime", async () => {
    expect(await fetchOf({ status: 200, value: { access_token: "one" } })).toEqual({
      token: "one",
      lifetime: 300_000,
    });
  });

  it.each([
    [
      "an error code",
      { status: 401, value: { error: "invalid_client", error_description: "hush" } },
      "answers 401 invalid_client",
    ],
    ["a text", { status: 500, value: undefined }, "answers 500"],
    ["a long error", { status: 400, value: { error: "the secret hush is wrong" } }, "answers 400"],
    ["no answer", new Error("connect ECONNREFUSED"), "gives no answer: connect ECONNREFUSED"],
    [
      "an expired token",
      { status: 200, value: { access_token: "one", expires_in: 0 } },
      "answers a token that has expired",
    ],
  ])("fails with %s, without a secret", async (_what, answer, text) => {
    await expect(fetchOf(answer)).rejects.toThrow(new RegExp(`^the token endpoint ${URL} ${text}$`));
  });

  it.each([
    [undefined, "has no token"],
    ["", "has no token"],
    ["hush\x01auth=x", "has a token with characters that no token has"],
  ])("fails if access_token is %j", async (token, text) => {
    const failed = fetchOf({ status: 200, value: { access_token: token } });
    await expect(failed).rejects.toThrow(`the answer of the token endpoint ${URL} ${text}`);
  });
});
