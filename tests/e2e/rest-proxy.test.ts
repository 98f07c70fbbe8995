/** The REST Proxy API with the real program and several clients. Records that are reported as stored are in the broker. */
import { spawn, type ChildProcessWithoutNullStreams } from "node:child_process";
import { once } from "node:events";
import { text } from "node:stream/consumers";
import { startGateway, type Gateway } from "../support/gateway.ts";
import { describeOnEachBroker } from "../support/each-broker.ts";
import { uniqueName } from "../support/kafka/describe.ts";
import { startNginx, type Nginx } from "../support/plain-nginx.ts";
import { describeWithTools } from "../support/tools.ts";

const KEY = "partner-key-of-the-tests-0123456789";
const HEADERS = { "x-api-key": KEY, "content-type": "application/json" };

type Report = Record<string, unknown>;

const linesOf = (text: string): Report[] =>
  text
    .split("\n")
    .filter(Boolean)
    .map((line) => JSON.parse(line) as Report);

const record = (n: number): string => `{"value":{"type":"JSON","data":{"n":${n}}}}`;

describeOnEachBroker("the REST Proxy API", (broker) => {
  const topic = `${uniqueName("rest-proxy")}-${broker.kind}`;
  let gateway: Gateway;

  beforeAll(async () => {
    gateway = await startGateway({
      settings: {
        broker: broker.settings(),
        stations: [{ name: topic, partitions: 3 }],
        limits: { recordSize: "1kb" },
        auth: {
          accessToken: { secret: "access-secret-of-the-tests-0123456789abcdef" },
          refreshToken: { secret: "refresh-secret-of-the-tests-0123456789abcdef" },
          accounts: [
            {
              username: "root",
              connectionToken: "root-connection-token-of-the-tests",
              stations: ["*"],
              consume: ["*"],
            },
          ],
          apiKeys: [
            { id: "partner", key: KEY, stations: [topic, "unheard-of"] },
            { id: "producer", key: "producer-key-of-the-tests-0123456789", stations: [topic] },
            { id: "reader", key: "reader-key-of-the-tests-0123456789", stations: [], consume: [topic] },
            { id: "stranger", key: "stranger-key-of-the-tests-0123456789", stations: ["elsewhere"] },
          ],
        },
        autoCreateStations: false,
      },
    });
    await ready(gateway);
  }, 120_000);

  afterAll(async () => {
    await gateway[Symbol.asyncDispose]();
  });

  const path = (name = topic): string => `/v3/clusters/c/topics/${name}/records`;

  const valuesStored = async (): Promise<string[]> =>
    (await broker.readAll(gateway, topic)).map(({ value }) => value.toString());

  it("reports valid and invalid records of a batch separately, on each API", async () => {
    const large = "x".repeat(1100);
    const v2 = await fetch(`${gateway.url}/topics/${topic}`, {
      method: "POST",
      headers: { ...HEADERS, "content-type": "application/vnd.kafka.json.v2+json" },
      body: JSON.stringify({ records: [{ value: "v2" }, { value: large }, { value: 1, partition: 77 }] }),
    });
    const { offsets } = (await v2.json()) as { offsets: Report[] };
    expect(offsets.map((one) => one["error_code"])).toEqual([null, 413, 40402]);

    const entry = (id: string, data: unknown): object => ({ id, value: { type: "JSON", data } });
    const batch = await fetch(`${gateway.url}${path()}:batch`, {
      method: "POST",
      headers: HEADERS,
      body: JSON.stringify({ entries: [entry("a", "batch"), entry("b", large)] }),
    });
    expect(batch.status).toBe(207);
    expect(await batch.json()).toMatchObject({
      successes: [{ id: "a" }],
      failures: [{ id: "b", error_code: 413 }],
    });

    const unknown = await fetch(`${gateway.url}${path("unheard-of")}`, {
      method: "POST",
      headers: HEADERS,
      body: record(1),
    });
    expect([unknown.status, await unknown.json()]).toMatchObject([404, { error_code: 40403 }]);
    const stored = await valuesStored();
    expect(stored).toEqual(expect.arrayContaining(['"v2"', '"batch"']));
    expect(stored.join("")).not.toContain(large);
  });

  it("shows a topic, its partitions and their offsets to a producer and to a reader", async () => {
    const names = ["producer", "reader", "stranger"].map((name) => `${name}-key-of-the-tests-0123456789`);
    const [producer, reader, stranger] = names;
    const ask = async (path: string, key = KEY): Promise<[number, Report]> => {
      const answer = await fetch(gateway.url + path, { headers: { "x-api-key": key } });
      return [answer.status, (await answer.json()) as Report];
    };
    const v3 = `/v3/clusters/c/topics/${topic}`;
    const v2 = `/topics/${topic}`;
    for (const key of [producer, reader]) {
      expect(await ask(v3, key)).toMatchObject([200, { topic_name: topic, partitions_count: 3 }]);
      expect(await ask(`${v3}/partitions`, key)).toMatchObject([
        200,
        { data: [{ partition_id: 0 }, { partition_id: 1 }, { partition_id: 2 }] },
      ]);
      const [, described] = await ask(v2, key);
      expect(described).toMatchObject({ name: topic, configs: {} });
      for (const { leader, replicas } of described["partitions"] as {
        leader: number;
        replicas: object[];
      }[])
        expect(replicas).toContainEqual({ broker: leader, leader: true, in_sync: true });
      expect(await ask(`${v2}/partitions/3`, key)).toMatchObject([404, { error_code: 40402 }]);
      expect((await ask("/topics", key))[1]).toEqual([topic]);
    }
    for (const path of [v3, `${v3}/partitions/0`, v2, `${v2}/partitions/0/offsets`])
      expect(await ask(path, stranger)).toMatchObject([403, { error_code: 40301 }]);
    expect(await ask("/topics/unheard-of")).toMatchObject([404, { error_code: 40403 }]);

    const offsets = async (): Promise<number> =>
      Number((await ask(`${v2}/partitions/2/offsets`))[1]["end_offset"]);
    const before = await offsets();
    const stored = await fetch(`${gateway.url}${v2}/partitions/2`, {
      method: "POST",
      headers: { ...HEADERS, "content-type": "application/vnd.kafka.text.v2+json" },
      body: JSON.stringify({
        records: [{ value: "zwölf", timestamp: 5, headers: [{ key: "h", value: "MQ==" }] }],
      }),
    });
    expect(stored.status).toBe(200);
    expect(await offsets()).toBe(before + 1);
  });

  it("stores only the record's own headers", async () => {
    const headers = [
      { name: "b", value: "MQ==" },
      { name: "7", value: "Mg==" },
    ];
    const stored = await fetch(gateway.url + path(), {
      method: "POST",
      headers: { ...HEADERS, "x-trace": "t", "ce-id": "1", traceparent: "00-1-2-01" },
      body: JSON.stringify({ headers, value: { type: "STRING", data: "headers" } }),
    });
    expect(stored.status).toBe(200);
    const events = await broker.readAll(gateway, topic);
    const found = events.filter(({ value }) => value.toString() === "headers");
    expect(found.map((event) => event.headers)).toEqual([{ b: "1", 7: "2" }]);
    const text = events.filter(({ value }) => value.toString() === "zwölf");
    expect(text.map((event) => event.headers)).toEqual([{ h: "1" }]);
  });

  it("reports 10,000 records of one stream in order, each with its own partition and offset", async () => {
    const count = 10_000;
    const answer = await fetch(gateway.url + path(), {
      method: "POST",
      headers: HEADERS,
      duplex: "half",
      body: ReadableStream.from(recordsInChunks(count)),
    });
    const reports = linesOf(await answer.text());
    expect(reports).toHaveLength(count);
    expect(reports.every((report) => report["error_code"] === 200)).toBe(true);
    const positions = new Set(
      reports.map((report) => `${String(report["partition_id"])}/${String(report["offset"])}`),
    );
    expect(positions.size).toBe(count);
    const values = new Set(await valuesStored());
    expect(
      Array.from({ length: count }, (_, n) => `{"n":${n}}`).filter((value) => !values.has(value)),
    ).toEqual([]);
  }, 60_000);

  it("ends its streams with a report on SIGTERM, and stops", async () => {
    const another = await startGateway({ settings: { autoCreateStations: true, auth: authFor(KEY) } });
    const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
    const writer = writable.getWriter();
    const call = fetch(`${another.url}${path("draining")}`, {
      method: "POST",
      headers: HEADERS,
      duplex: "half",
      body: readable,
    });
    await writer.write(Buffer.from(record(1)));
    const answer = await call;
    const reader = answer.body?.pipeThrough(new TextDecoderStream()).getReader();
    expect((await reader?.read())?.value).toContain('"error_code":200');
    const ended = another.stop();
    expect((await reader?.read())?.value).toContain('"error_code":50302');
    expect(await ended).toBe(0);
    writer.abort().catch(() => undefined);
    await another[Symbol.asyncDispose]();
  }, 30_000);

  describeWithTools("with curl", ["curl"], () => {
    const curl = (stdin: "-" | "."): ChildProcessWithoutNullStreams =>
      spawn("curl", [
        ...["-sS", "-N", "-T", stdin, "-X", "POST", "-H", `X-Api-Key: ${KEY}`],
        ...["-H", "Content-Type: application/json", gateway.url + path()],
      ]);

    it("accepts records that are piped into curl -N -T -", async () => {
      const client = curl("-");
      const output = text(client.stdout);
      client.stdin.end(`${record(1)}{"vlaue":1}${record(2)}`);
      expect(linesOf(await output).map((report) => report["error_code"])).toEqual([200, 400, 200]);
    });

    // With "-" curl waits for its input before it reads the answer; "." doesn't wait.
    it("reports to curl -N -T . record by record", async () => {
      const client = curl(".");
      for (const n of [1, 2]) {
        client.stdin.write(record(n));
        const [chunk] = (await once(client.stdout, "data")) as [Buffer];
        expect(linesOf(chunk.toString())).toMatchObject([{ error_code: 200 }]);
      }
      client.stdin.end();
      expect(await once(client, "exit")).toEqual([0, null]);
    });
  });

  describeWithTools("with nginx", ["nginx"], () => {
    let nginx: Nginx;

    beforeAll(async () => {
      nginx = await startNginx(gateway.url);
    });

    afterAll(() => nginx.stop());

    it("streams through nginx in both directions", async () => {
      const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
      const writer = writable.getWriter();
      const call = fetch(nginx.url + path(), {
        method: "POST",
        headers: HEADERS,
        duplex: "half",
        body: readable,
      });
      await writer.write(Buffer.from(record(1)));
      const reader = (await call).body?.pipeThrough(new TextDecoderStream()).getReader();
      expect((await reader?.read())?.value).toContain('"error_code":200');
      await writer.write(Buffer.from(record(2)));
      expect((await reader?.read())?.value).toContain('"error_code":200');
      await writer.close();
      expect((await reader?.read())?.done).toBe(true);
    });
  });
});

const authFor = (key: string): object => ({
  accessToken: { secret: "access-secret-of-the-tests-0123456789abcdef" },
  refreshToken: { secret: "refresh-secret-of-the-tests-0123456789abcdef" },
  apiKeys: [{ id: "partner", key, stations: ["*"] }],
});

/** Resolves once events can be stored. Declared topics are created while the program starts. */
const ready = async (gateway: Gateway): Promise<void> => {
  for (;;) {
    const answer = await fetch(`${gateway.url}/v3/clusters/c/topics`, { headers: HEADERS });
    const body = (await answer.json()) as { data?: unknown[] };
    if (body.data?.length === 1) return;
  }
};

const recordsInChunks = function* (count: number): Iterable<Uint8Array> {
  const all = Buffer.from(Array.from({ length: count }, (_, n) => record(n)).join("\n"));
  // With this size, chunks end inside records, escapes and numbers.
  for (let at = 0; at < all.length; at += 7919) yield all.subarray(at, at + 7919);
};
