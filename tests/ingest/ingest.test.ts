/** Events pass through all units of `src/ingest` to a broker, and are read back. */
import path from "node:path";
import { verifiedPrincipal } from "../../src/auth/principal.ts";
import type { Broker, ConsumedRecord } from "../../src/broker/broker.ts";
import { createMemoryBroker } from "../../src/broker/memory/memory-broker.ts";
import { createBatcher } from "../../src/ingest/batcher/batcher.ts";
import { eventListOf } from "../../src/ingest/content/event-list.ts";
import { loadStations } from "../../src/ingest/declare.ts";
import { createProduce } from "../../src/ingest/produce.ts";
import { recordHeadersOf } from "../../src/ingest/record-headers.ts";
import { createStations } from "../../src/ingest/stations.ts";

const LIMITS = { maxEventBytes: 1 << 20, maxKeyBytes: 1024, maxHeaders: 10, maxHeaderBytes: 1024 };

const limits = { maxDepth: 128 };
const principal = verifiedPrincipal({
  kind: "account",
  name: "root",
  mayProduce: () => true,
  mayConsume: () => true,
  origins: [],
  limits: {},
});

const setUp = async () => {
  const broker = createMemoryBroker({ partitions: 1 });
  await broker.open();
  const batcher = createBatcher({
    broker,
    deliveryTimeoutMs: 10_000,
    maxBufferedBytes: 64 << 20,
    maxAppendRecords: 500,
    maxAppendBytes: 900_000,
  });
  const file = path.join(import.meta.dirname, "../../proto/trade.proto");
  const declared = await loadStations(
    [
      {
        name: "trades",
        topic: "desk.trades",
        key: "/notional",
        schema: { type: "protobuf", file, message: "desk.Trade" },
      },
    ],
    { limits, registry: undefined },
  );
  await broker.ensureTopic({ name: "desk.trades" });
  const stations = createStations({ declared, autoCreate: true, broker, maxRecordBytes: 1 << 20 });
  const produce = createProduce({ batcher, stations, now: () => 1000, ...LIMITS });
  const close = async (): Promise<void> => {
    await batcher.close();
    await broker.close();
  };
  return { broker, stations, produce, close };
};

/** The first `count` records of a topic. */
const readBack = async (broker: Broker, topic: string, count: number): Promise<ConsumedRecord[]> => {
  const seen: ConsumedRecord[] = [];
  await new Promise<void>((resolve, reject) => {
    const onRecords = (records: readonly ConsumedRecord[]): void => {
      seen.push(...records);
      if (seen.length >= count) resolve();
    };
    broker.subscribe({ topics: [topic], from: "earliest" }, { onRecords }).catch(reject);
  });
  return seen;
};

const slices = (body: Buffer): Buffer[] => {
  const list = eventListOf(body, { ...limits, maxEvents: 100_000 });
  return Array.from({ length: list.count }, (_, i) => list.at(i));
};

it("stores each element of a batch with its own bytes, on a station that the first event creates", async () => {
  const { broker, stations, produce, close } = await setUp();
  const elements = ['{"id":12345678901234567890}', '{"a":1, "a":2}', '{"\\u0065":1e400}'];
  const headers = recordHeadersOf(["Authorization", "Bearer x", "X-Source", "test"]);
  const events = slices(Buffer.from(`[${elements.join(" ,\n")}]`)).map((value) => ({
    value,
    contentType: "application/json",
    headers,
  }));
  const outcomes = await produce({ principal, station: await stations.resolve("new"), events });
  expect(outcomes.map(({ status }) => status)).toEqual(["stored", "stored", "stored"]);

  const records = await readBack(broker, "new", 3);
  expect(records.map(({ value }) => String(value))).toEqual(elements);
  expect(records[0]?.headers.map(({ name, value }) => `${name}: ${String(value)}`)).toEqual([
    "content-type: application/json",
    "x-source: test",
  ]);
  await close();
});

it("stores JSON on a protobuf station as protobuf, with all digits of a number as the key", async () => {
  const { broker, stations, produce, close } = await setUp();
  const value = Buffer.from('{"trade_id":"t","notional":9007199254740993}');
  const event = { value, contentType: "application/json", headers: [] };
  const outcomes = await produce({ principal, station: await stations.resolve("trades"), events: [event] });
  expect(outcomes).toMatchObject([{ status: "stored" }]);

  const [record] = await readBack(broker, "desk.trades", 1);
  expect(record?.key?.toString()).toBe("9007199254740993");
  expect(record?.value?.toString("hex")).toBe("0a017420818080808080" + "8010");
  expect(record?.headers).toEqual([{ name: "content-type", value: Buffer.from("application/x-protobuf") }]);
  await close();
});

it("stores a batch of 100,000 events in order, and other events meanwhile", async () => {
  const { broker, stations, produce, close } = await setUp();
  const station = await stations.resolve("large");
  const body = Buffer.from(`[${Array.from({ length: 100_000 }, (_, n) => `{"n":${String(n)}}`).join(",")}]`);
  const events = slices(body).map((value) => ({
    value,
    contentType: undefined,
    headers: [],
  }));
  const large = produce({ principal, station, events });
  const small = produce({
    principal,
    station,
    events: [{ value: Buffer.from("small"), contentType: "text/plain", headers: [] }],
  });
  const first = await Promise.race([large.then(() => "large"), small.then(() => "small")]);
  expect(first).toBe("small");
  expect((await large).every(({ status }) => status === "stored")).toBe(true);
  const records = await readBack(broker, "large", 100_001);
  const numbers = records.filter(({ headers }) => headers.length === 0).map(({ value }) => String(value));
  expect(numbers).toEqual(events.map(({ value }) => String(value)));
  await close();
});
