/** Configurations of Confluent's sinks, posted to the real program. */
import { admin } from "../support/connector-api.ts";
import { signIn, startGateway, type Gateway } from "../support/gateway.ts";
import { startHttpSink, type HttpSink } from "../support/http-sink.ts";

const TOPICS = ["orders", "bills", "results"];
const CLASS = "io.confluent.connect.http.HttpSinkConnector";
const V2_CLASS = "io.confluent.connect.http.sink.GenericHttpSinkConnector";

let gateway: Gateway;
let sink: HttpSink;

beforeAll(async () => {
  sink = await startHttpSink();
  gateway = await startGateway({
    settings: {
      delivery: { allowTargets: ["127.0.0.0/8"] },
      stations: TOPICS.map((name) => ({ name, partitions: 1 })),
    },
  });
});

afterAll(async () => {
  await gateway[Symbol.asyncDispose]();
  await sink.close();
});

interface Produced {
  readonly key?: string;
  readonly value: unknown;
}

/** The keys are stored as JSON, in quotes. */
const produce = async (topic: string, records: readonly Produced[]): Promise<void> => {
  const answer = await fetch(`${gateway.url}/topics/${topic}`, {
    method: "POST",
    headers: {
      authorization: `Bearer ${await signIn(gateway)}`,
      "content-type": "application/vnd.kafka.json.v2+json",
    },
    body: JSON.stringify({ records }),
  });
  if (!answer.ok) throw new Error(await answer.text());
};

/** Requests whose path begins with this text. */
const requestsTo = (path: string) =>
  sink.requests
    .filter(({ url }) => url.startsWith(path))
    .map(({ method, url, body, headers }) => ({ method, url, body, type: headers["content-type"] }));

const requests = async (path: string, count: number): Promise<ReturnType<typeof requestsTo>> => {
  await sink.until(() => requestsTo(path).length >= count);
  return requestsTo(path);
};

it("sends batches by groups and a DELETE, and shows no credential", async () => {
  await produce("orders", [
    { key: "a", value: { n: 1 } },
    { key: "b", value: { n: 2 } },
    { key: "a", value: { n: 3 } },
    { key: "a/b", value: null },
    { key: "a", value: { n: 4 } },
  ]);
  const config = {
    "connector.class": CLASS,
    "tasks.max": "1",
    topics: "orders",
    "key.converter": "org.apache.kafka.connect.storage.StringConverter",
    "value.converter": "org.apache.kafka.connect.json.JsonConverter",
    "value.converter.schemas.enable": "false",
    "confluent.topic.bootstrap.servers": "localhost:9092",
    "confluent.topic.replication.factor": "1",
    "http.api.url": `${sink.url}/batches`,
    "request.body.format": "json",
    "batch.max.size": "10",
    "batch.key.pattern": "${key}",
    "batch.linger.ms": "200",
    "behavior.on.null.values": "delete",
    headers: "Authorization: secret-token|X-Topic: ${topic}",
  };
  const created = await admin(gateway, "POST", "/connectors", { name: "batches", config });
  const type = "application/json";
  const [first, second, ...others] = await requests("/batches", 4);
  const bodies = [first?.body, second?.body];

  expect(bodies.toSorted()).toStrictEqual(['[{"n":1},{"n":3}]', '[{"n":2}]']);
  expect(others).toStrictEqual([
    { method: "DELETE", url: "/batches/%22a%2Fb%22", body: "", type: undefined },
    { method: "POST", url: "/batches", body: '[{"n":4}]', type },
  ]);
  expect(sink.requests[0]?.headers).toMatchObject({ authorization: "secret-token", "x-topic": "orders" });
  expect(JSON.stringify(created)).not.toContain("secret-token");
});

it("retries a status, goes on after the last retry, and writes reports", async () => {
  sink.answer(({ body }) =>
    body === '{"n":1}' ? { status: 503, body: "down" } : { status: 200, body: "ok" },
  );
  await produce("results", [{ value: { n: 1 } }, { value: { n: 2 } }]);
  const config = {
    "connector.class": "HttpSink",
    topics: "results",
    "input.data.format": "STRING",
    "http.api.url": `${sink.url}/retries`,
    "auth.type": "BASIC",
    "connection.user": "admin",
    "connection.password": "pass",
    "max.retries": "1",
    "retry.backoff.ms": "10",
    "retry.on.status.codes": "500-",
    "behavior.on.error": "log",
    "reporter.bootstrap.servers": "localhost:9092",
    "reporter.error.topic.value.format": "string",
  };
  await admin(gateway, "POST", "/connectors", { name: "retries", config });
  const sent = await requests("/retries", 3);
  const type = "text/plain; charset=UTF-8";

  expect(sent).toStrictEqual(
    ['{"n":1}', '{"n":1}', '{"n":2}'].map((body) => ({ method: "POST", url: "/retries", body, type })),
  );

  // Another connector delivers the reports, so that the sink shows them.
  const readBack = {
    "connector.class": V2_CLASS,
    topics: "retries-success,retries-error,bills",
    "consumer.override.auto.offset.reset": "earliest",
    "http.api.base.url": `${sink.url}/reports`,
    "apis.num": "2",
    "api1.topics": "retries-success,retries-error",
    "api1.http.api.path": "/{topic}",
    "api1.http.path.parameters": "topic:${topic}",
    "api2.topics": "bills",
    "api2.http.api.path": "/bills",
    "api2.http.request.method": "PUT",
    "api2.http.request.parameters": "key=${key}",
  };
  await produce("bills", [{ key: "k/1", value: { total: 5 } }]);
  await admin(gateway, "POST", "/connectors", { name: "reports", config: readBack });
  const reports = await requests("/reports", 3);
  const of = (path: string) => reports.find(({ url }) => url === `/reports/${path}`);

  expect(of("retries-success")).toMatchObject({ method: "POST", body: '"ok"' });
  expect(of("retries-error")?.body).toBe(
    `Retry time lapsed, unable to process HTTP request. HTTP Response code: 503, Reason phrase: Service Unavailable, Url: ${sink.url}/retries, Response content: down, Exception: null, Error message: null`,
  );
  expect(of("bills?key=%22k%2F1%22")).toMatchObject({ method: "PUT", body: '{"total":5}' });
  expect(sink.requests.find(({ url }) => url === "/reports/retries-error")?.headers).toMatchObject({
    ...{ input_record_topic: "results", input_record_offset: "0", status_code: "503" },
  });
});

it("refuses all faults at once, and lists the classes with their keys", async () => {
  const refused = await admin(gateway, "PUT", `/connector-plugins/${CLASS}/config/validate`, {
    "connector.class": CLASS,
    topics: "orders",
    "retry.on.status.codes": "",
    "csfle.enabled": "true",
  });
  const keys = (await admin(gateway, "GET", `/connector-plugins/${V2_CLASS}/config`)) as { name: string }[];

  expect(refused).toMatchObject({ name: CLASS, error_count: 3 });
  expect(keys.map(({ name }) => name)).toContain("api1.http.api.path");
  await expect(admin(gateway, "GET", "/connector-plugins")).resolves.toMatchObject([
    {},
    {},
    { class: CLASS },
    { class: V2_CLASS },
  ]);
});
