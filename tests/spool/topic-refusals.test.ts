/** Topics that are missing or forbidden when Kafka returns: answered events wait for them. */
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import type { AppendOutcome } from "../../src/broker/broker.ts";
import { type ErrorCode, GatewayError } from "../../src/errors.ts";
import { openOwnSpool } from "../../src/spool/spool.ts";
import { TopicRefusals } from "../../src/spool/topic-refusals.ts";
import { FakeKafka, optionsFor, statusesOf, until } from "./fake-kafka.ts";
import { newDirectory, record } from "./support.ts";

/** A spool with two events of an outage. */
const spooled = async (refusedAfterMs: number) => {
  const kafka = new FakeKafka();
  const dir = newDirectory();
  const seen: string[] = [];
  kafka.mode = "down";
  const spool = await openOwnSpool({ ...optionsFor(kafka, dir, seen), refusedAfterMs });
  expect(statusesOf(await spool.append("orders", [record("a", "k"), record("b", "k")]))).toEqual([
    "spooled",
    "spooled",
  ]);
  return { kafka, dir, seen, spool };
};

const refusedIn = (dir: string): readonly string[] => {
  const folder = path.join(dir, readdirSync(dir).find((name) => name.startsWith("0")) ?? "", "refused");
  return readFileSync(path.join(folder, "orders.ndjson"), "utf8").trim().split("\n");
};

it.each(["missing", "forbidden"] as const)(
  "drains the events of a %s topic when it can be used",
  async (topic) => {
    const { kafka, seen, spool } = await spooled(60_000);
    kafka.topic = topic;
    kafka.mode = "up";
    await until(() => seen.length > 1);
    expect(seen.at(-1)).toMatch(/^orders waits/);
    kafka.topic = "exists";
    await until(() => !spool.readiness().isSpooling);
    expect(kafka.log).toEqual(["a", "b"]);
    await spool.close();
  },
);

it("creates a missing topic before it drains", async () => {
  const { kafka, seen, spool } = await spooled(0);
  Object.assign(kafka, { topic: "missing", mayCreate: true, mode: "up" });
  await until(() => !spool.readiness().isSpooling);
  expect(kafka.log).toEqual(["a", "b"]);
  expect(seen).toEqual(["orders spools", "orders is direct"]);
  await spool.close();
});

it.each([
  ["missing", "STATION_UNKNOWN"],
  ["forbidden", "TOPIC_REFUSED"],
] as const)("keeps the events in refused/ if the topic stays %s", async (topic, code) => {
  const { kafka, dir, seen, spool } = await spooled(300);
  kafka.topic = topic;
  kafka.mode = "up";
  await until(() => !spool.readiness().isSpooling);
  expect(seen).toEqual([
    "orders spools",
    `orders waits ${code}`,
    `refused orders 2 ${code}`,
    "orders is direct",
  ]);
  expect(kafka.log).toEqual([]);
  expect(refusedIn(dir)).toHaveLength(2);
  await spool.close();
});

const failed = (code: ErrorCode): AppendOutcome => ({ status: "failed", error: new GatewayError(code) });

const refusals = (prepare: () => Promise<number>) => {
  const time = { now: 0 };
  const decides = new TopicRefusals({
    ...{ topic: "orders", prepare, refusedAfterMs: 1000, onRefused: () => undefined },
    clock: { monotonic: () => time.now },
  });
  const isFinal = async (code: ErrorCode, partition?: number): Promise<boolean> => {
    const judge = await decides.judge([failed(code)]);
    return judge(new GatewayError(code), { ...record("a"), ...(partition !== undefined && { partition }) });
  };
  return { time, decides, isFinal };
};

it("refuses an event for an unknown partition only if Kafka has no such partition now", async () => {
  let partitions = (): Promise<number> => Promise.resolve(3);
  const { isFinal } = refusals(() => partitions());
  expect(await isFinal("PARTITION_UNKNOWN", 2)).toBe(false);
  expect(await isFinal("PARTITION_UNKNOWN", 3)).toBe(true);
  partitions = () => Promise.reject(new GatewayError("BROKER_UNAVAILABLE"));
  expect(await isFinal("PARTITION_UNKNOWN", 3)).toBe(false);
});

it("refuses an event that Kafka does not take at once, and none because of an outage", async () => {
  const { isFinal } = refusals(() => Promise.resolve(1));
  expect(await isFinal("RECORD_TOO_LARGE")).toBe(true);
  expect(await isFinal("BROKER_UNAVAILABLE")).toBe(false);
  expect(await isFinal("BROKER_AMBIGUOUS")).toBe(false);
});

it("begins the time anew after an outage, and when a missing topic was created", async () => {
  let answer = (): Promise<number> => Promise.resolve(0);
  const { time, decides, isFinal } = refusals(() => answer());
  expect(await decides.prepare()).toBe(false);
  time.now = 900;
  answer = () => Promise.reject(new GatewayError("BROKER_UNAVAILABLE"));
  expect(await decides.prepare()).toBe(false);
  time.now = 1800;
  answer = () => Promise.resolve(0);
  expect(await decides.prepare()).toBe(false);
  time.now = 2700;
  answer = () => Promise.resolve(1);
  expect(await decides.prepare()).toBe(true);
  time.now = 2900;
  // A node of Kafka that does not know the new topic yet.
  expect(await isFinal("STATION_UNKNOWN")).toBe(false);
  time.now = 3900;
  expect(await isFinal("STATION_UNKNOWN")).toBe(true);
});
