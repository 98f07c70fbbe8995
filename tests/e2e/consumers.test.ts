/** REST Proxy v2 consumers with the real program: the curl commands of Confluent's and of Strimzi's documentation. */
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { describeOnEachBroker } from "../support/each-broker.ts";
import { type Gateway, startGateway } from "../support/gateway.ts";
import { uniqueName } from "../support/kafka/describe.ts";

const KEY = "reader-key-of-the-tests-0123456789";
const V2 = "application/vnd.kafka.v2+json";
const JSON_V2 = "application/vnd.kafka.json.v2+json";
const BINARY_V2 = "application/vnd.kafka.binary.v2+json";

interface Answer {
  readonly status: number;
  readonly type: string;
  readonly body: unknown;
}

interface Read {
  readonly topic: string;
  readonly key: unknown;
  readonly value: unknown;
  readonly partition: number;
  readonly offset: number;
}

const run = promisify(execFile);

/** Runs curl with these arguments. */
const curl = async (...given: readonly string[]): Promise<Answer> => {
  const format = "\n%{http_code} %{content_type}";
  const { stdout } = await run("curl", ["-sS", "-w", format, "-H", `X-Api-Key: ${KEY}`, ...given]);
  const at = stdout.lastIndexOf("\n");
  const [status = "", type = ""] = stdout.slice(at + 1).split(" ");
  const text = stdout.slice(0, at);
  return { status: Number(status), type, body: text === "" ? undefined : (JSON.parse(text) as unknown) };
};

describeOnEachBroker("REST Proxy v2 consumers", (broker) => {
  const topic = `${uniqueName("consumers")}-${broker.kind}`;
  let gateway: Gateway;

  beforeAll(async () => {
    gateway = await startGateway({
      settings: {
        broker: broker.settings(),
        stations: [{ name: topic, partitions: 2 }],
        reading: { topic: `_stationgate-${topic}`, sessionTimeout: "6s" },
        auth: {
          accessToken: { secret: "access-secret-of-the-tests-0123456789abcdef" },
          refreshToken: { secret: "refresh-secret-of-the-tests-0123456789abcdef" },
          accounts: [],
          apiKeys: [{ id: "reader", key: KEY, stations: [topic], consume: [topic], groups: ["*"] }],
        },
        autoCreateStations: false,
      },
    });
  }, 120_000);

  afterAll(async () => {
    await gateway[Symbol.asyncDispose]();
  });

  const produce = async (type: string, ...records: readonly object[]): Promise<void> => {
    const data = JSON.stringify({ records });
    const { status } = await curl(
      ...["-X", "POST", "-H", `Content-Type: ${type}`, "--data", data],
      `${gateway.url}/topics/${topic}`,
    );
    expect(status).toBe(200);
  };

  const post = (url: string, body?: object): Promise<Answer> => {
    const data = body === undefined ? [] : ["-H", `Content-Type: ${V2}`, "--data", JSON.stringify(body)];
    return curl("-X", "POST", ...data, url);
  };

  const create = async (group: string, settings: object): Promise<string> => {
    const { status, body } = await post(`${gateway.url}/consumers/${group}`, settings);
    expect(status).toBe(200);
    return (body as { base_uri: string }).base_uri;
  };

  const records = async (instance: string, accept: string, timeout = 3000): Promise<readonly Read[]> => {
    const { status, type, body } = await curl(
      ...["-X", "GET", "-H", `Accept: ${accept}`],
      `${instance}/records?timeout=${timeout}`,
    );
    expect([status, type]).toEqual([200, accept]);
    return body as Read[];
  };

  /** Reads until there are as many records, in the order of the partitions. */
  const read = async (instance: string, accept: string, count: number): Promise<readonly Read[]> => {
    const all: Read[] = [];
    while (all.length < count) {
      const some = await records(instance, accept, 10_000);
      expect(some).not.toEqual([]);
      all.push(...some);
    }
    return all.sort((one, other) => one.partition - other.partition || one.offset - other.offset);
  };

  it("runs Confluent's commands: json", async () => {
    const group = uniqueName("my_json_consumer");
    await produce(JSON_V2, { value: { foo: "bar" }, partition: 0 }, { value: { n: 1.0 }, partition: 1 });
    const created = await post(`${gateway.url}/consumers/${group}`, {
      ...{ name: "my_consumer_instance", format: "json" },
      "auto.offset.reset": "earliest",
    });
    const instance = `${gateway.url}/consumers/${group}/instances/my_consumer_instance`;
    expect(created).toEqual({
      ...{ status: 200, type: V2 },
      body: { instance_id: "my_consumer_instance", base_uri: instance },
    });
    expect((await post(`${instance}/subscription`, { topics: [topic] })).status).toBe(204);
    expect(await read(instance, JSON_V2, 2)).toMatchObject([
      { topic, key: null, value: { foo: "bar" }, partition: 0, offset: 0 },
      { topic, key: null, value: { n: 1 }, partition: 1, offset: 0 },
    ]);
    expect(await records(instance, JSON_V2, 0)).toEqual([]);
    expect((await curl("-X", "DELETE", "-H", `Content-Type: ${V2}`, instance)).status).toBe(204);
    const gone = await curl(`${instance}/records`);
    expect([gone.status, (gone.body as { error_code: number }).error_code]).toEqual([404, 40403]);
  }, 60_000);

  it("runs Confluent's commands: binary, with commits and offsets", async () => {
    const group = uniqueName("my_binary_consumer");
    const instance = await create(group, {
      ...{ name: "c1", format: "binary" },
      ...{ "auto.offset.reset": "latest", "auto.commit.enable": "false" },
    });
    await post(`${instance}/subscription`, { topics: [topic] });
    expect(await records(instance, BINARY_V2)).toEqual([]);
    await produce(BINARY_V2, { key: "a2V5", value: "S2Fma2E=", partition: 1 });
    const [record] = await read(instance, BINARY_V2, 1);
    expect(record).toMatchObject({ topic, key: "a2V5", value: "S2Fma2E=", partition: 1 });
    const parts = JSON.stringify({ partitions: [0, 1].map((partition) => ({ topic, partition })) });
    const offsets = () =>
      curl("-X", "GET", "-H", `Content-Type: ${V2}`, "--data", parts, `${instance}/offsets`);
    expect((await offsets()).body).toEqual({ offsets: [] });
    expect(await post(`${instance}/offsets`)).toMatchObject({ status: 200, body: [] });
    const next = (record?.offset ?? 0) + 1;
    expect((await offsets()).body).toEqual({
      offsets: [{ topic, partition: 1, offset: next, metadata: "" }],
    });
    await post(`${instance}/offsets`, { offsets: [{ topic, partition: 0, offset: 0 }] });
    expect((await curl(`${instance}/offsets?partitions=${topic}:0`)).body).toEqual({
      offsets: [{ topic, partition: 0, offset: 1, metadata: "" }],
    });
    const again = { offsets: [{ topic, partition: 1, offset: record?.offset }] };
    expect((await post(`${instance}/positions`, again)).status).toBe(204);
    expect(await read(instance, BINARY_V2, 1)).toEqual([record]);
    const first = { partitions: [{ topic, partition: 0 }] };
    expect((await post(`${instance}/positions/beginning`, first)).status).toBe(204);
    expect(await read(instance, BINARY_V2, 1)).toMatchObject([{ partition: 0, offset: 0 }]);
    expect((await post(`${instance}/positions/end`, first)).status).toBe(204);
    expect(await records(instance, BINARY_V2, 200)).toEqual([]);
    expect((await curl("-X", "DELETE", instance)).status).toBe(204);
  }, 60_000);

  it("runs Strimzi's commands: text, a subscription with its partitions, and an assignment", async () => {
    const group = uniqueName("bridge-quickstart-consumer-group");
    const instance = await create(group, {
      ...{ name: "bridge", format: "text", "auto.offset.reset": "earliest" },
      ...{ "enable.auto.commit": false, "fetch.min.bytes": 1, "consumer.request.timeout.ms": 30_000 },
    });
    const text = "application/vnd.kafka.text.v2+json";
    await post(`${instance}/subscription`, { topic_pattern: "consumers-.*" });
    await produce(text, { key: "k", value: "sales-lead-0001", partition: 0 });
    expect(await read(instance, text, 4)).toContainEqual(
      expect.objectContaining({ value: "sales-lead-0001" }),
    );
    expect((await curl(`${instance}/subscription`)).body).toEqual({
      topics: [topic],
      partitions: [{ [topic]: [0, 1] }],
    });
    expect((await curl("-X", "DELETE", `${instance}/subscription`)).status).toBe(204);
    const assigned = { partitions: [{ topic, partition: 1 }] };
    expect((await post(`${instance}/assignments`, assigned)).status).toBe(204);
    expect((await curl(`${instance}/assignments`)).body).toEqual(assigned);
    expect((await read(instance, text, 1))[0]).toMatchObject({ partition: 1, offset: 0 });
    expect((await curl("-X", "DELETE", instance)).status).toBe(204);
  }, 60_000);

  it("keeps the instances over a restart, with their positions", async () => {
    const group = uniqueName("restarted");
    const instance = await create(group, { name: "i", format: "json", "auto.offset.reset": "latest" });
    await post(`${instance}/subscription`, { topics: [topic] });
    expect(await records(instance, JSON_V2)).toEqual([]);
    await produce(JSON_V2, { value: 1, partition: 0 });
    expect(await read(instance, JSON_V2, 1)).toMatchObject([{ value: 1 }]);
    await produce(JSON_V2, { value: 2, partition: 0 });
    await gateway.stop();
    gateway = await gateway.restart();
    expect(await read(instance, JSON_V2, 1)).toMatchObject([{ value: 2 }]);
    expect((await curl("-X", "DELETE", instance)).status).toBe(204);
  }, 60_000);
});
