/** The calls in the documentation of Memphis, the REST Proxy and the Auckland sink, against the real program. */
import { ADMIN_TOKEN, ROOT, startGateway, type Gateway } from "../support/gateway.ts";

let gateway: Gateway;
let tokens: { jwt: string; jwt_refresh_token: string };

const JSON_TYPE = "application/json";
const V2_JSON = "application/vnd.kafka.json.v2+json";
const V2_BINARY = "application/vnd.kafka.binary.v2+json";
const LIFETIMES = { token_expiry_in_minutes: 60, refresh_token_expiry_in_minutes: 10_000_092 };

interface Options {
  readonly base?: string;
  readonly token?: string;
  readonly contentType?: string;
}

const call = async (
  method: string,
  path: string,
  body: unknown,
  options: Options = {},
): Promise<Response> => {
  const { base = gateway.url, token, contentType = JSON_TYPE } = options;
  return fetch(base + path, {
    method,
    headers: {
      ...(token !== undefined && { authorization: `Bearer ${token}` }),
      ...(body !== undefined && { "content-type": contentType }),
    },
    ...(body !== undefined && { body: typeof body === "string" ? body : JSON.stringify(body) }),
  });
};

beforeAll(async () => {
  gateway = await startGateway({
    settings: { stations: [{ name: "todos" }], delivery: { allowTargets: ["127.0.0.0/8"] } },
  });
  const answer = await call("POST", "/auth/authenticate", { ...ROOT, ...LIFETIMES });
  tokens = (await answer.json()) as typeof tokens;
}, 60_000);

afterAll(async () => {
  await gateway[Symbol.asyncDispose]();
});

describe("Memphis' REST gateway", () => {
  it("refreshes a token", async () => {
    const { jwt_refresh_token } = tokens;
    const answer = await call("POST", "/auth/refreshToken", { jwt_refresh_token, ...LIFETIMES });
    expect([answer.status, await answer.json()]).toMatchObject([200, { expires_in: 3_600_000 }]);
  });

  it.each<[string, unknown, string]>([
    ["/stations/todos/produce/single", { message: "New Message" }, JSON_TYPE],
    ["/stations/todos/produce/single", "New Message", "text/plain"],
    ["/stations/todos/produce/batch", [{ message: "x" }, { message: "y" }, { message: "z" }], JSON_TYPE],
  ])("accepts %s %j", async (path, body, contentType) => {
    const answer = await call("POST", path, body, { token: tokens.jwt, contentType });
    expect([answer.status, await answer.json()]).toEqual([200, { error: null, success: true }]);
  });

  it("accepts the token in the query", async () => {
    const path = `/stations/todos/produce/single?authorization=${tokens.jwt}`;
    expect((await call("POST", path, { message: "New Message" })).status).toBe(200);
  });

  it("returns events from consume/batch", async () => {
    const body = { consumer_name: "c", consumer_group: "g", batch_size: 1, batch_max_wait_time_ms: 5000 };
    const answer = await call("POST", "/stations/todos/consume/batch", body, { token: tokens.jwt });
    expect([answer.status, await answer.json()]).toMatchObject([200, [{ headers: {} }]]);
  });
});

it.each<[string, string, unknown, string]>([
  ["POST", "/v3/clusters/c/topics/todos/records", { value: { type: "JSON", data: { a: 1 } } }, JSON_TYPE],
  ["GET", "/v3/clusters", undefined, ""],
  ["GET", "/v3/clusters/c/topics", undefined, ""],
  ["GET", "/v3/clusters/c/topics/todos", undefined, ""],
  ["GET", "/v3/clusters/c/topics/todos/partitions", undefined, ""],
  ["POST", "/topics/todos", { records: [{ value: { foo: "bar" } }] }, V2_JSON],
  ["POST", "/topics/todos", { records: [{ value: "S2Fma2E=" }] }, V2_BINARY],
  ["POST", "/topics/todos/partitions/0", { records: [{ value: 1 }] }, V2_JSON],
  ["GET", "/topics", undefined, ""],
  ["GET", "/topics/todos", undefined, ""],
])("Confluent's REST Proxy: %s %s %j", async (method, path, body, contentType) => {
  const answer = await call(method, path, body, { token: tokens.jwt, contentType });
  expect(answer.status).toBe(200);
});

const SINK = {
  "connector.class": "nz.ac.auckland.kafka.http.sink.HttpSinkConnector",
  "tasks.max": "1",
  topics: "todos",
  "callback.request.url": "http://127.0.0.1:9/hook",
  "callback.request.method": "POST",
  "callback.request.headers": "X-API-Key:a-key|Content-Type:application/json",
  "retry.backoff.sec": "5,30,60",
  "exception.strategy": "PROGRESS_BACK_OFF_DROP_MESSAGE",
};

it.each<[string, string, unknown, number]>([
  ["POST", "/connectors", { name: "hook", config: SINK }, 201],
  ["GET", "/connectors", undefined, 200],
  ["GET", "/connectors/hook", undefined, 200],
  ["GET", "/connectors/hook/config", undefined, 200],
  ["GET", "/connectors/hook/status", undefined, 200],
  ["PUT", "/connectors/hook/config", SINK, 200],
  ["PUT", "/connectors/hook", SINK, 200],
  ["PUT", "/connectors/hook/pause", undefined, 202],
  ["PUT", "/connectors/hook/resume", undefined, 202],
  ["GET", "/connectors/hook/pause", undefined, 202],
  ["GET", "/connectors/hook/resume", undefined, 202],
  ["POST", "/connectors/hook/restart", undefined, 204],
  ["GET", "/connectors/hook/tasks", undefined, 200],
  ["GET", "/connectors/hook/tasks/0/status", undefined, 200],
  ["POST", "/connectors/hook/tasks/0/restart", undefined, 204],
  ["GET", "/connector-plugins", undefined, 200],
  ["DELETE", "/connectors/hook", undefined, 204],
])("the Auckland sink: %s %s", async (method, path, body, status) => {
  const answer = await call(method, path, body, { base: gateway.adminUrl, token: ADMIN_TOKEN });
  expect(answer.status).toBe(status);
});
