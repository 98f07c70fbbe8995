/** A configuration of Aiven's sink, posted to the real program. */
import { admin } from "../support/connector-api.ts";
import { signIn, startGateway, type Gateway } from "../support/gateway.ts";
import { startHttpSink, type HttpSink } from "../support/http-sink.ts";

const TOPIC = "orders";
const CLASS = "io.aiven.kafka.connect.http.HttpSinkConnector";

let gateway: Gateway;
let sink: HttpSink;

beforeAll(async () => {
  sink = await startHttpSink(() => ({ status: 202 }));
  gateway = await startGateway({
    settings: {
      delivery: { allowTargets: ["127.0.0.0/8"] },
      stations: [{ name: TOPIC, partitions: 1 }],
    },
  });
});

afterAll(async () => {
  await gateway[Symbol.asyncDispose]();
  await sink.close();
});

const produce = async (values: readonly unknown[]): Promise<void> => {
  const answer = await fetch(`${gateway.url}/topics/${TOPIC}`, {
    method: "POST",
    headers: {
      authorization: `Bearer ${await signIn(gateway)}`,
      "content-type": "application/vnd.kafka.json.v2+json",
    },
    body: JSON.stringify({ records: values.map((value) => ({ value })) }),
  });
  if (!answer.ok) throw new Error(await answer.text());
};

it("sends batches as the configuration says, and shows no credential", async () => {
  await produce([{ n: 1 }, { n: 2 }, { n: 3 }]);
  const config = {
    "connector.class": CLASS,
    "tasks.max": 1,
    topics: TOPIC,
    "key.converter": "org.apache.kafka.connect.storage.StringConverter",
    "value.converter": "org.apache.kafka.connect.json.JsonConverter",
    "value.converter.schemas.enable": false,
    "http.url": `${sink.url}/hook`,
    "http.authorization.type": "static",
    "http.headers.authorization": "Bearer secret-token",
    "http.headers.content.type": "application/json",
    "batching.enabled": true,
    "batch.max.size": 2,
    "batch.prefix": "[",
    "batch.separator": ",",
    "batch.suffix": "]",
  };
  const created = await admin(gateway, "POST", "/connectors", { name: "crm", config });
  await sink.received(2);

  expect(sink.bodies).toStrictEqual(['[{"n":1},{"n":2}]', '[{"n":3}]']);
  expect(sink.requests[0]?.headers).toMatchObject({
    authorization: "Bearer secret-token",
    "content-type": "application/json",
  });
  expect(JSON.stringify(created)).not.toContain("secret-token");
  expect(created).toMatchObject({
    config: { "http.authorization.type": "static", "batching.enabled": "true", "batch.max.size": "2" },
  });
});

it("refuses all faults at once, and lists the class with its keys", async () => {
  const refused = await admin(gateway, "PUT", `/connector-plugins/${CLASS}/config/validate`, {
    "connector.class": CLASS,
    topics: TOPIC,
    "http.url": "example",
    "http.authorization.type": "basic",
  });
  const plugins = await admin(gateway, "GET", "/connector-plugins");
  const keys = (await admin(gateway, "GET", `/connector-plugins/${CLASS}/config`)) as { name: string }[];

  expect(refused).toMatchObject({ name: CLASS, error_count: 2 });
  expect(plugins).toMatchObject([{ type: "sink" }, { class: CLASS, type: "sink" }, {}, {}]);
  expect(keys.map(({ name }) => name)).toContain("batch.separator");
});
