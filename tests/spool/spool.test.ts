/** The spool of one process with a batcher and a broker whose outage the test begins and ends. */
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Batcher } from "../../src/ingest/batcher/batcher.ts";
import { type Clock, systemClock } from "../../src/lib/clock.ts";
import type { SpoolFiles } from "../../src/spool/files.ts";
import { openOwnSpool, type OwnSpool } from "../../src/spool/spool.ts";
import { FakeKafka, optionsFor, statusesOf, until } from "./fake-kafka.ts";
import { countingFiles, faultyFiles, newDirectory, record } from "./support.ts";

interface Opened {
  readonly spool: OwnSpool;
  readonly batcher: Batcher;
  readonly seen: string[];
}

const open = async (
  kafka: FakeKafka,
  dir: string,
  options: { readonly maxBytes?: number; readonly files?: SpoolFiles; readonly clock?: Clock } = {},
): Promise<Opened> => {
  const seen: string[] = [];
  const given = optionsFor(kafka, dir, seen);
  const spool = await openOwnSpool({ ...given, ...options });
  return { spool, batcher: given.batcher, seen };
};

const send = async (spool: OwnSpool, ...values: readonly string[]): Promise<readonly string[]> => {
  const records = values.map((value) => record(value, "k"));
  return statusesOf(await spool.append("orders", records));
};

it("sends events to Kafka while it answers, and writes nothing", async () => {
  const kafka = new FakeKafka();
  const dir = newDirectory();
  const { spool } = await open(kafka, dir);
  expect(await send(spool, "a", "b")).toEqual(["stored", "stored"]);
  expect(readdirSync(dir)).toEqual(["owner.lock"]);
  await spool.close();
});

it("spools events in an outage, and drains them in their order before later ones", async () => {
  const kafka = new FakeKafka();
  const dir = newDirectory();
  const { spool, seen } = await open(kafka, dir);
  kafka.mode = "down";
  expect(await send(spool, "a", "b")).toEqual(["spooled", "spooled"]);
  expect(await send(spool, "c")).toEqual(["spooled"]);
  expect(spool.readiness()).toMatchObject({ isSpooling: true, hasRoom: true });
  kafka.mode = "up";
  await until(() => !spool.readiness().isSpooling);
  expect(await send(spool, "d")).toEqual(["stored"]);
  expect(kafka.log).toEqual(["a", "b", "c", "d"]);
  expect(seen).toEqual(["orders spools", "orders is direct"]);
  expect(await spool.contents()).toEqual({ bytes: 0, events: 0, oldest: undefined });
  await spool.close();
});

it("reads the files of a long outage about once while it drains them", async () => {
  const kafka = new FakeKafka();
  kafka.mode = "down";
  const dir = newDirectory();
  const counted = { read: 0 };
  const files = countingFiles(counted);
  const { spool } = await open(kafka, dir, { files });
  const values = Array.from({ length: 100 }, (_, i) => `${i}`.padEnd(1000, "."));
  for (let call = 0; call < 100; call += 1) await send(spool, ...values);
  const { bytes } = await spool.contents();
  counted.read = 0;
  kafka.mode = "up";
  await until(() => !spool.readiness().isSpooling);
  expect(kafka.log).toHaveLength(10_000);
  expect(counted.read).toBeLessThan(1.5 * bytes);
  await spool.close();
});

it("makes the record for the disk only of events that go there", async () => {
  const kafka = new FakeKafka();
  const { batcher, ...options } = optionsFor(kafka, newDirectory(), []);
  const made: string[] = [];
  const spool = await openOwnSpool<string>({
    ...options,
    batcher: {
      ...batcher,
      watch: (topic, events, call) => {
        batcher.watch(
          topic,
          events.map((value) => record(value)),
          call,
        );
      },
      toRecord: (value) => {
        made.push(value);
        return record(value);
      },
    },
  });
  expect(statusesOf(await spool.append("orders", ["a"]))).toEqual(["stored"]);
  expect(made).toEqual([]);
  kafka.mode = "down";
  expect(statusesOf(await spool.append("orders", ["b"]))).toEqual(["spooled"]);
  expect(made).toEqual(["b"]);
  kafka.mode = "up";
  await until(() => kafka.log.length === 2);
  await spool.close();
});

it("does not send an event again whose acknowledgement comes late", async () => {
  const kafka = new FakeKafka();
  const { spool } = await open(kafka, newDirectory());
  kafka.mode = "hanging";
  const first = send(spool, "a");
  await sleep(20);
  const second = send(spool, "b");
  expect(await Promise.all([first, second])).toEqual([["spooled"], ["spooled"]]);
  kafka.mode = "up";
  kafka.release();
  await until(() => !spool.readiness().isSpooling);
  expect(kafka.log).toEqual(["a", "b"]);
  await spool.close();
});

it("drains the events of a killed process, which were spooled before a new outage", async () => {
  const kafka = new FakeKafka();
  const dir = newDirectory();
  kafka.mode = "down";
  const { spool: killed } = await open(kafka, dir);
  expect(await send(killed, "a", "b")).toEqual(["spooled", "spooled"]);
  await killed.close();
  const { spool } = await open(kafka, dir);
  expect(await spool.contents()).toMatchObject({ events: 2 });
  expect(await send(spool, "c")).toEqual(["spooled"]);
  expect(await spool.contents()).toMatchObject({ events: 3 });
  kafka.mode = "up";
  await until(() => !spool.readiness().isSpooling);
  expect(kafka.log).toEqual(["a", "b", "c"]);
  await spool.close();
  expect(readdirSync(dir)).toEqual(["owner.lock"]);
});

it("puts a record that Kafka refuses into refused/ and goes on with the next one", async () => {
  const kafka = new FakeKafka();
  const dir = newDirectory();
  const { spool, seen } = await open(kafka, dir);
  kafka.mode = "down";
  await send(spool, "a", "bad", "c");
  kafka.refuses = "bad";
  kafka.mode = "up";
  await until(() => !spool.readiness().isSpooling);
  expect(kafka.log).toEqual(["a", "c"]);
  expect(seen).toContain("refused orders 1 RECORD_TOO_LARGE");
  await spool.close();
  const [folder = ""] = readdirSync(dir);
  const lines = readFileSync(path.join(dir, folder, "refused", "orders.ndjson"), "utf8");
  expect(JSON.parse(lines)).toMatchObject({ value: Buffer.from("bad").toString("base64") });
});

it("answers 503 when the spool is full, and loses nothing that was answered", async () => {
  const kafka = new FakeKafka();
  const { spool, seen } = await open(kafka, newDirectory(), { maxBytes: 1000 });
  kafka.mode = "down";
  const said: string[] = [];
  for (let i = 0; i < 20; i += 1) said.push(...(await send(spool, `event ${i}`)));
  const spooled = said.filter((status) => status === "spooled").length;
  expect(spooled).toBeGreaterThan(3);
  expect(said.slice(spooled)).toEqual(new Array(20 - spooled).fill("BROKER_UNAVAILABLE"));
  expect(seen).toContain("unspooled BROKER_UNAVAILABLE");
  expect(spool.readiness().hasRoom).toBe(false);
  expect(await spool.contents()).toMatchObject({ events: spooled });
  kafka.mode = "up";
  await until(() => !spool.readiness().isSpooling);
  expect(kafka.log).toHaveLength(spooled);
  expect(spool.readiness().hasRoom).toBe(true);
  expect(await send(spool, "later")).toEqual(["stored"]);
  await spool.close();
});

it("answers 503 while the disk is full, and spools again when there is space", async () => {
  const kafka = new FakeKafka();
  const faults = { left: 0, flushFails: false };
  const dir = newDirectory();
  const { spool, seen } = await open(kafka, dir, { files: faultyFiles(faults) });
  kafka.mode = "down";
  expect(await send(spool, "a")).toEqual(["BROKER_UNAVAILABLE"]);
  expect(spool.readiness().hasRoom).toBe(false);
  // Longer than until the next look at the disk.
  await sleep(700);
  expect(spool.readiness().hasRoom).toBe(false);
  faults.left = 1_000_000;
  await until(() => spool.readiness().hasRoom);
  expect(await send(spool, "b")).toEqual(["spooled"]);
  kafka.mode = "up";
  await until(() => !spool.readiness().isSpooling);
  expect(kafka.log).toEqual(["b"]);
  expect(seen).toEqual(expect.arrayContaining(["unwritable", "writable"]));
  await spool.close();
  expect(readdirSync(dir)).toEqual(["owner.lock"]);
});

/** A second passes each time that it is asked, and waiting takes no time. */
const hurried: Clock = {
  ...systemClock,
  monotonic: () => (seconds += 1000),
  after: (_, action) => systemClock.after(0, action),
};
let seconds = 0;

it("stops the start if another process uses the directory", async () => {
  const kafka = new FakeKafka();
  const dir = newDirectory();
  const { spool } = await open(kafka, dir);
  await expect(open(kafka, dir, { clock: hurried })).rejects.toMatchObject({
    code: "SETTINGS_INVALID",
    message: `spool.dir: another process uses the spool in ${dir}`,
  });
  await spool.close();
});

it("waits at the start until the workers of a killed process have ended", async () => {
  const kafka = new FakeKafka();
  const dir = newDirectory();
  const { spool } = await open(kafka, dir);
  const next = open(kafka, dir);
  await sleep(20);
  await spool.close();
  await (await next).spool.close();
});

it("leaves half of the append budget to other topics while it drains", async () => {
  const kafka = new FakeKafka();
  const given = optionsFor(kafka, newDirectory(), [], 400_000);
  const { batcher } = given;
  const spool = await openOwnSpool({ ...given, drainBytes: 200_000, appendBytes: 100_000 });
  kafka.mode = "down";
  const topics = ["a", "b", "c", "d"];
  const many = Array.from({ length: 400 }, () => record("x".repeat(300), "k"));
  for (const topic of topics)
    expect(new Set(statusesOf(await spool.append(topic, many)))).toEqual(new Set(["spooled"]));
  kafka.mode = "hanging";
  await until(() => batcher.bufferedBytes > 100_000);
  await sleep(100);
  expect(batcher.bufferedBytes).toBeLessThanOrEqual(200_000);
  const other = batcher.append("other", [record("x".repeat(190_000))]);
  kafka.mode = "up";
  kafka.release();
  expect(statusesOf(await other)).toEqual(["stored"]);
  await until(() => !spool.readiness().isSpooling);
  expect(kafka.log).toHaveLength(4 * 400 + 1);
  await spool.close();
});

it("drains 50,000 events with less than 30 s of CPU", async () => {
  const kafka = new FakeKafka();
  const { spool } = await open(kafka, newDirectory());
  kafka.mode = "down";
  const values = Array.from({ length: 50_000 }, (_, i) => String(i));
  await send(spool, ...values);
  const before = process.cpuUsage();
  kafka.mode = "up";
  await until(() => kafka.log.length === values.length);
  const { user, system } = process.cpuUsage(before);
  expect((user + system) / 1e6).toBeLessThan(30);
  expect(kafka.log).toEqual(values);
  await spool.close();
});
