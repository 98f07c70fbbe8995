import { withAccessToken } from "../../../../src/delivery/engine/access-token/access-token.ts";
import type { DeliveryRequest, HttpResult } from "../../../../src/delivery/engine/delivery-plan.ts";
import type { TokenEndpoint } from "../../../../src/delivery/engine/transport.ts";
import { createFakeClock } from "../../../support/fake-clock.ts";

const ENDPOINT: TokenEndpoint = {
  url: new URL("https://id.example/token?v=2"),
  clientId: "me",
  clientSecret: "s3cr3t&+é",
  scope: "read write",
  credentials: "header",
  fields: { grantType: "grant_type", clientId: "client_id", clientSecret: "client_secret" },
  grantType: "client_credentials",
  audience: undefined,
  extra: [],
  headers: [],
  tokenProperty: "access_token",
};

const REQUEST: DeliveryRequest = {
  origin: "https://crm.example",
  path: "/hook",
  method: "POST",
  headers: ["X-A", "1", "authorization", "Basic old"],
  body: Buffer.from("event"),
};

const answer = (status: number, body = "", retryAfter?: string): HttpResult => ({
  status,
  retryAfter,
  body: Buffer.from(body),
});

/** A client whose token endpoint and target are scripted. Token requests can be held back. */
const scripted = (endpoint: Partial<TokenEndpoint> = {}, renewOn: readonly number[] = [401]) => {
  const clock = createFakeClock();
  const tokenRequests: DeliveryRequest[] = [];
  const sent: (string | undefined)[] = [];
  const script = {
    token: (n: number): HttpResult | Promise<HttpResult> => answer(200, `{"access_token":"t${n}"}`),
    target: (): HttpResult => answer(200),
  };
  const client = withAccessToken(
    {
      send: async (request) => {
        if (request.origin === ENDPOINT.url.origin) {
          tokenRequests.push(request);
          return script.token(tokenRequests.length);
        }
        sent.push(request.headers[request.headers.indexOf("Authorization") + 1]);
        return script.target();
      },
      close: () => Promise.resolve(),
    },
    { endpoint: { ...ENDPOINT, ...endpoint }, renewOn: new Set(renewOn) },
    clock,
  );
  return { client, clock, script, sent, tokenRequests, send: () => client.send(REQUEST) };
};

const tokenAnswer = (members: object): HttpResult => answer(200, JSON.stringify(members));

describe("a token request", () => {
  it("has Basic credentials of id and secret as they are, and the fields in order", async () => {
    const { send, tokenRequests } = scripted({
      audience: "https://api.example",
      extra: [["resource", "a b"]],
      headers: ["X-Tenant", "7"],
    });
    await send();

    expect(tokenRequests).toStrictEqual([
      {
        origin: "https://id.example",
        path: "/token?v=2",
        method: "POST",
        headers: [
          ...["X-Tenant", "7", "Accept", "application/json"],
          ...["Content-Type", "application/x-www-form-urlencoded"],
          ...["Authorization", `Basic ${Buffer.from("me:s3cr3t&+é").toString("base64")}`],
        ],
        body: Buffer.from(
          "grant_type=client_credentials&scope=read+write&audience=https%3A%2F%2Fapi.example&resource=a+b",
        ),
      },
    ]);
  });

  it("has id and secret in the form instead, with the names of the configuration", async () => {
    const { send, tokenRequests } = scripted({
      credentials: "form",
      scope: undefined,
      fields: { grantType: "gt", clientId: "id", clientSecret: "pw" },
      grantType: "custom",
      audience: "aud",
    });
    await send();

    expect(tokenRequests[0]?.body?.toString()).toBe("gt=custom&id=me&pw=s3cr3t%26%2B%C3%A9&audience=aud");
    expect(tokenRequests[0]?.headers).not.toContain("Authorization");
  });
});

describe("a token", () => {
  it("replaces the Authorization header, with the type of the answer", async () => {
    const { send, sent, script } = scripted();
    script.token = () => tokenAnswer({ access_token: "abc", token_type: "token" });
    await send();

    expect(sent).toStrictEqual(["token abc"]);
  });

  it("is Bearer without a type, and can be another member of the answer", async () => {
    const { send, sent, script } = scripted({ tokenProperty: "id_token" });
    script.token = () => tokenAnswer({ access_token: "no", id_token: "yes" });
    await send();

    expect(sent).toStrictEqual(["Bearer yes"]);
  });

  it("is shared, and one token request is in flight at a time", async () => {
    const { send, sent, script, tokenRequests } = scripted();
    let release = (): void => undefined;
    const held = new Promise<void>((resolve) => (release = resolve));
    script.token = async () => {
      await held;
      return tokenAnswer({ access_token: "one" });
    };
    const all = [send(), send(), send()];
    release();
    await Promise.all(all);
    await send();

    expect(tokenRequests).toHaveLength(1);
    expect(sent).toStrictEqual(Array(4).fill("Bearer one"));
  });

  it.each([
    [100, 90_000],
    [3600, 3_570_000],
    ["3600", 3_570_000],
  ])("that lasts %s s is renewed after %d ms", async (expires_in, usedFor) => {
    const { send, sent, script, clock } = scripted();
    script.token = (n) => tokenAnswer({ access_token: `t${n}`, expires_in });
    await send();
    clock.advance(usedFor - 1);
    await send();
    clock.advance(1);
    await send();

    expect(sent).toStrictEqual(["Bearer t1", "Bearer t1", "Bearer t2"]);
  });

  it("without expires_in is used until the target refuses it", async () => {
    const { send, sent, clock } = scripted();
    await send();
    clock.advance(10 * 365 * 86_400_000);
    await send();

    expect(sent).toStrictEqual(["Bearer t1", "Bearer t1"]);
  });
});

describe("a refusal by the target", () => {
  it("makes the next request renew the token, once for all requests that had the old one", async () => {
    const { send, sent, script, tokenRequests } = scripted();
    script.target = () => answer(401);
    const results = await Promise.all([send(), send()]);
    script.target = () => answer(200);
    await Promise.all([send(), send()]);

    expect(results).toStrictEqual(Array(2).fill({ ...answer(401), isTokenRefused: true }));
    expect(sent).toStrictEqual(["Bearer t1", "Bearer t1", "Bearer t2", "Bearer t2"]);
    expect(tokenRequests).toHaveLength(2);
  });

  it("is one of the configured statuses", async () => {
    const { send, sent, script } = scripted({}, [403]);
    script.target = () => answer(401);
    const unauthorized = await send();
    script.target = () => answer(403);
    const forbidden = await send();
    await send();

    expect(unauthorized).toStrictEqual(answer(401));
    expect(forbidden).toMatchObject({ isTokenRefused: true });
    expect(sent).toStrictEqual(["Bearer t1", "Bearer t1", "Bearer t2"]);
  });
});

describe("a failure of the token endpoint", () => {
  it.each([
    [answer(503), { kind: "lost", error: "The token endpoint answered with HTTP status 503" }],
    [
      answer(400, '{"error":"invalid_client","error_description":"s3cr3t"}'),
      { kind: "lost", error: "The token endpoint answered with HTTP status 400 (invalid_client)" },
    ],
    [answer(302), { kind: "lost", error: "The token endpoint answered with HTTP status 302" }],
    [
      { kind: "unreachable", error: "connect ECONNREFUSED" } as const,
      { kind: "unreachable", error: "The token endpoint can't be used: connect ECONNREFUSED" },
    ],
    [
      { kind: "forbidden", error: "10.0.0.1 is not a public address" } as const,
      { kind: "forbidden", error: "The token endpoint can't be used: 10.0.0.1 is not a public address" },
    ],
  ])("is the result of the attempt, and the next attempt asks again: %j", async (failure, expected) => {
    const { send, sent, script, tokenRequests } = scripted();
    script.token = (n) => (n === 1 ? failure : tokenAnswer({ access_token: "abc" }));

    expect(await send()).toStrictEqual(expected);
    expect(await send()).toStrictEqual(answer(200));
    expect(sent).toStrictEqual(["Bearer abc"]);
    expect(tokenRequests).toHaveLength(2);
  });

  it.each(["{}", '{"access_token":7}', '{"access_token":""}', "null", "<html>", '{"access_token":"secret'])(
    "without a token stops the task: %s",
    async (body) => {
      const { send, sent, script } = scripted();
      script.token = () => answer(200, body);

      expect(await send()).toStrictEqual({
        kind: "forbidden",
        error: "The answer of the token endpoint has no access_token",
      });
      expect(sent).toStrictEqual([]);
    },
  );

  it("with a token that no header can have stops the task", async () => {
    const { send, script } = scripted();
    script.token = () => tokenAnswer({ access_token: "a\r\nX-B: c" });

    expect(await send()).toStrictEqual({
      kind: "forbidden",
      error: "The token has characters that a header can't have",
    });
  });
});
