/** Connectors that decode values, with the real program and a schema registry. */
import { admin, createConnector } from "../support/connector-api.ts";
import { ADMIN_TOKEN, signIn, startGateway, type Gateway } from "../support/gateway.ts";
import { DONE, startHttpSink, type HttpSink } from "../support/http-sink.ts";
import { framed } from "../support/registry/fake-schemas.ts";
import { startRegistry, type TestRegistry } from "../support/registry/registry.ts";

const TOPIC = "orders";

const schemaOf = (name: string): string =>
  JSON.stringify({ type: "record", name, fields: [{ name: "n", type: "long" }] });

/** A record of one long from 0 to 63. */
const order = (id: number, n: number): Buffer => framed(id, String.fromCharCode(2 * n));

let gateway: Gateway;
let sink: HttpSink;
let registry: TestRegistry;

beforeEach(async () => {
  sink = await startHttpSink();
  registry = await startRegistry();
  gateway = await startGateway({
    settings: {
      registry: { url: registry.url, timeout: "500ms", negativeTtl: "1ms" },
      delivery: { allowTargets: ["127.0.0.0/8"] },
      stations: [{ name: TOPIC, partitions: 2 }],
    },
  });
});

afterEach(async () => {
  await gateway[Symbol.asyncDispose]();
  await registry[Symbol.asyncDispose]();
  await sink.close();
});

const produce = async (partition: number, values: readonly Buffer[]): Promise<void> => {
  const answer = await fetch(`${gateway.url}/topics/${TOPIC}`, {
    method: "POST",
    headers: {
      authorization: `Bearer ${await signIn(gateway)}`,
      "content-type": "application/vnd.kafka.binary.v2+json",
    },
    body: JSON.stringify({
      records: values.map((value) => ({ value: value.toString("base64"), partition })),
    }),
  });
  if (!answer.ok) throw new Error(await answer.text());
};

const connect = (name: string, config: Record<string, string>): Promise<unknown> =>
  createConnector(gateway, name, {
    sink,
    topic: TOPIC,
    decode: "json",
    "callback.request.url": `${sink.url}/${name}`,
    ...config,
  });

const bodiesOf = (name: string): readonly string[] =>
  sink.requests.filter(({ url }) => url === `/${name}`).map(({ body }) => body);

const until = async (condition: () => Promise<boolean>): Promise<void> => {
  while (!(await condition())) await new Promise((resolve) => setTimeout(resolve, 50));
};

const taskOf = async (name: string): Promise<{ state: string; trace?: string } | undefined> => {
  const { tasks } = (await admin(gateway, "GET", `/connectors/${name}/status`)) as {
    tasks: { state: string; trace?: string }[];
  };
  return tasks[0];
};

const decodeFailures = async (): Promise<readonly string[]> => {
  const answer = await fetch(`${gateway.adminUrl}/metrics`, {
    headers: { authorization: `Bearer ${ADMIN_TOKEN}` },
  });
  return (await answer.text()).match(/^stationgate_delivery_decode_failures_total\{.*/gm) ?? [];
};

it("a record with an unknown id and one with a broken payload have the effect of decode.failure", async () => {
  const { id } = registry.add("orders-value", schemaOf("Order"));
  const [unknown, broken] = [order(99, 1), framed(id, "")];
  await connect("sent", { "decode.failure": "send" });
  await connect("skipped", { "decode.failure": "skip" });
  await connect("lettered", { "dead.letter.topic": "orders.dead" });
  await connect("stopped", {});
  await produce(0, [order(id, 1), unknown, broken, order(id, 2)]);
  await sink.received(4 + 2 + 2 + 1);
  await until(async () => (await taskOf("stopped"))?.state === "FAILED");
  const { records } = (await admin(gateway, "GET", "/connectors/lettered/dead-letters/records")) as {
    records: { offset: number; attempts: number; error: string; value: string }[];
  };

  expect(bodiesOf("sent")).toStrictEqual(['{"n":1}', String(unknown), String(broken), '{"n":2}']);
  expect(bodiesOf("skipped")).toStrictEqual(['{"n":1}', '{"n":2}']);
  expect(bodiesOf("lettered")).toStrictEqual(['{"n":1}', '{"n":2}']);
  expect(bodiesOf("stopped")).toStrictEqual(['{"n":1}']);
  expect((await taskOf("stopped"))?.trace).toMatch(
    /^Delivery stopped at orders-0@1: the value can't be decoded: .*99/,
  );
  expect(records).toHaveLength(2);
  expect(JSON.stringify(records)).toContain("can't be decoded");
  expect((await decodeFailures()).toSorted()).toStrictEqual(
    ["lettered", "sent", "skipped", "stopped"].map(
      (name) =>
        `stationgate_delivery_decode_failures_total{connector="${name}"} ${name === "stopped" ? 1 : 2}`,
    ),
  );
}, 60_000);

it("a replay decodes the dead letters, with a schema that was registered meanwhile too", async () => {
  const { id } = registry.add("orders-value", schemaOf("Order"));
  sink.answer(() => ({ status: 500 }));
  await connect("again", { "dead.letter.topic": "orders.dead", "exception.strategy": "DROP_MESSAGE" });
  await produce(0, [order(id, 1), order(id + 1, 2)]);
  const view = (): Promise<unknown> => admin(gateway, "GET", "/connectors/again/dead-letters");
  await until(async () => ((await view()) as { records: number }).records === 2);
  expect(registry.add("orders-value", schemaOf("Order2")).id).toBe(id + 1);
  const before = sink.requests.length;
  sink.answer(() => DONE);
  await admin(gateway, "POST", "/connectors/again/dead-letters/replay");
  await sink.received(before + 2);

  expect(bodiesOf("again").slice(before)).toStrictEqual(['{"n":1}', '{"n":2}']);
  await until(async () => ((await view()) as { records: number }).records === 0);
}, 60_000);

it("a record whose schema the frozen registry does not tell waits, also over a stop, and only its partition waits", async () => {
  const known = registry.add("orders-value", schemaOf("Order")).id;
  const late = registry.add("orders-value", schemaOf("Order2")).id;
  await connect("crm", { "dead.letter.topic": "orders.dead" });
  await produce(0, [order(known, 1)]);
  await sink.received(1);
  await registry.become("frozen");
  const asked = registry.requests.length;
  await produce(0, [order(late, 2), order(known, 3)]);
  // The first question has timed out when the second one comes.
  await registry.received(asked + 2);
  await produce(1, [order(known, 4)]);
  await sink.received(2);

  expect(sink.bodies).toStrictEqual(['{"n":1}', '{"n":4}']);
  expect(await taskOf("crm")).toMatchObject({ state: "RUNNING" });
  expect(await gateway.stop("SIGTERM")).toBe(0);

  await registry.become("up");
  gateway = await gateway.restart();
  await sink.received(4);

  expect(sink.bodies.slice(2)).toStrictEqual(['{"n":2}', '{"n":3}']);
  expect(await decodeFailures()).toStrictEqual([]);
}, 60_000);
