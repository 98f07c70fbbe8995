import { mkdir, mkdtemp, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { open } from "lmdb";
import type { Broker } from "../../../src/broker/broker.ts";
import { createEmbeddedBroker } from "../../../src/broker/embedded/embedded-broker.ts";
import { STANDING } from "../../../src/broker/embedded/reserve.ts";
import { numbered, readBack, record, store, subscribe, valueOf } from "../conformance/tools.ts";
import { prepareChildren, type Children } from "./child.ts";

let dir: string;
let children: Children;

beforeAll(async () => {
  children = await prepareChildren();
});
afterAll(() => children.remove());
beforeEach(async () => {
  dir = await mkdtemp(path.join(tmpdir(), "stationgate-embedded-"));
});
afterEach(() => rm(dir, { recursive: true }));

const opened = async (): Promise<Broker> => {
  const broker = createEmbeddedBroker({ dir });
  await broker.open();
  return broker;
};

const closeAndOpen = async (broker: Broker): Promise<Broker> => {
  await broker.close();
  return opened();
};

describe("a reopened embedded log", () => {
  it("has its topics, their limits and their records, and continues at the next offset", async () => {
    const before = await opened();
    await before.ensureTopic({ name: "orders", partitions: 3, maxRecordBytes: 100 });
    await before.ensureTopic({ name: "clicks", partitions: 1 });
    await store(before, "orders", [...numbered(5, 0), ...numbered(2, 2)]);
    await store(before, "clicks", numbered(1));
    const id = await before.topicId("orders");
    const after = await closeAndOpen(before);

    await expect(after.topicId("orders")).resolves.toBe(id);
    expect(await after.topics()).toEqual([
      { name: "clicks", partitions: 1 },
      { name: "orders", partitions: 3 },
    ]);
    expect((await readBack(after, "orders", 7)).map(valueOf)).toEqual(["0", "1", "2", "3", "4", "0", "1"]);
    expect(await store(after, "orders", [record("next", { partition: 0 })])).toMatchObject([{ offset: 5n }]);
    expect(await after.append("orders", [record("x".repeat(101))])).toMatchObject([
      { error: { code: "RECORD_TOO_LARGE" } },
    ]);
    await after.ensureTopic({ name: "later", partitions: 1 });
    await store(after, "later", [record("own")]);
    expect((await readBack(after, "later", 1)).map(valueOf)).toEqual(["own"]);
    await after.close();
  });

  it("has the positions of groups, without the deleted groups", async () => {
    const before = await opened();
    await before.ensureTopic({ name: "orders", partitions: 1 });
    await store(before, "orders", numbered(5));
    const member = await subscribe(before, { group: "kept", topics: ["orders"] });
    await member.until(() => member.records.length === 5);
    await member.subscription.commit([{ topic: "orders", partition: 0, offset: 3n }]);
    await before.setCommitted("gone", [{ topic: "orders", partition: 0, offset: 1n }]);
    await before.deleteGroup("gone");
    const after = await closeAndOpen(before);

    expect(await after.committed("kept", "orders")).toEqual([{ topic: "orders", partition: 0, offset: 3n }]);
    expect(await after.committed("gone", "orders")).toEqual([]);
    await after.close();
  });
});

describe("the directory of an embedded log", () => {
  it("can be used by one broker at a time", async () => {
    const first = await opened();

    await expect(opened()).rejects.toMatchObject({
      code: "SETTINGS_INVALID",
      message: `broker.embedded.dir: another process uses the log in ${dir}`,
    });
    const second = await closeAndOpen(first);
    await second.close();
  });

  it("can be used by one process at a time, and is free after kill -9", async () => {
    const child = children.start(
      // setInterval keeps a reference to the broker. Otherwise the broker and its lock would be garbage-collected.
      `const broker = createEmbeddedBroker({ dir }); await broker.open(); say("open"); setInterval(say, 1e6, "", broker);`,
      {
        dir,
      },
    );
    await child.lineCount(1);
    await expect(opened()).rejects.toMatchObject({ code: "SETTINGS_INVALID" });
    await child.kill();

    const broker = await opened();
    await broker.close();
  });

  it("is refused if its file is not a log", async () => {
    await writeFile(path.join(dir, "log.lmdb"), "this is not a log".repeat(1000));

    await expect(opened()).rejects.toMatchObject({
      code: "SETTINGS_INVALID",
      message: `broker.embedded.dir: the log in ${dir} is damaged, or is not a log`,
    });
    await rm(path.join(dir, "log.lmdb"));
    await (await opened()).close();
  });

  it.each([0.5, 0.9])(
    "is refused if the file is truncated to %d of its written pages, and opens once the file is whole",
    async (left) => {
      const file = path.join(dir, "log.lmdb");
      const broker = await opened();
      await broker.ensureTopic({ name: "orders", partitions: 1 });
      await store(
        broker,
        "orders",
        Array.from({ length: 40 }, () => record("x".repeat(50_000))),
      );
      await broker.close();
      const whole = await readFile(file);
      const used = whole.length - STANDING;
      const cut = Math.floor(used * left);
      await truncate(file, cut);

      await expect(opened()).rejects.toMatchObject({
        code: "SETTINGS_INVALID",
        message: `broker.embedded.dir: the log in ${dir} is truncated: ${used - cut} bytes are missing`,
      });
      await writeFile(file, whole);
      const again = await opened();
      expect(await readBack(again, "orders", 40)).toHaveLength(40);
      await again.close();
    },
  );

  it("is refused if a newer version wrote it", async () => {
    await (await opened()).close();
    const environment = open({ path: path.join(dir, "log.lmdb"), noSubdir: true, overlappingSync: false });
    await environment.openDB("meta", {}).put("format", 2);
    await environment.close();

    await expect(opened()).rejects.toMatchObject({
      code: "SETTINGS_INVALID",
      message: `broker.embedded.dir: the log in ${dir} was written by a newer version`,
    });
  });

  it("is created if it is missing", async () => {
    const deep = path.join(dir, "a", "b");
    const broker = createEmbeddedBroker({ dir: deep });
    await broker.open();
    await broker.close();

    await expect(mkdir(deep)).rejects.toMatchObject({ code: "EEXIST" });
  });
});

/** Sixteen writers that print each acknowledged record: `<value> <partition> <offset>`. */
const APPEND_FOREVER = `
  const broker = createEmbeddedBroker({ dir });
  await broker.open();
  await broker.ensureTopic({ name: "killed", partitions: 3 });
  const write = async (writer) => {
    for (let turn = 0; ; turn += 1) {
      const batch = Array.from({ length: 1 + (turn % 3) }, (_, index) =>
        [process.pid, writer, turn, index, "x".repeat((turn * 37) % 3000)].join("-"));
      const outcomes = await broker.append("killed", batch.map((value) =>
        ({ key: Buffer.from("k" + turn), value: Buffer.from(value), headers: [], timestamp: 0 })));
      outcomes.forEach(({ partition, offset }, index) => say([batch[index], partition, offset].join(" ")));
      await broker.setCommitted("group-" + writer, [{ topic: "killed", partition: 0, offset: BigInt(turn) }]);
    }
  };
  await Promise.all(Array.from({ length: 16 }, (_, writer) => write(writer)));
`;

describe("an embedded log whose process is killed", () => {
  it("has each acknowledged record at its offset, byte for byte", async () => {
    const acknowledged: string[] = [];
    for (const enough of [500, 900, 1301]) {
      const child = children.start(APPEND_FOREVER, { dir });
      await child.lineCount(enough);
      await child.kill();
      expect(child.lines.length).toBeGreaterThanOrEqual(enough);
      acknowledged.push(...child.lines);
    }
    const broker = await opened();
    const watermarks = await broker.watermarks("killed");
    const stored = await readBack(
      broker,
      "killed",
      watermarks.reduce((sum, { high }) => sum + Number(high), 0),
    );
    await broker.close();
    const lines = new Set(stored.map((one) => `${valueOf(one) ?? ""} ${one.partition} ${one.offset}`));

    expect(acknowledged.filter((line) => !lines.has(line))).toEqual([]);
    for (const { partition, high } of watermarks) {
      const offsets = stored.filter((one) => one.partition === partition).map(({ offset }) => Number(offset));
      expect(offsets).toEqual(Array.from({ length: Number(high) }, (_, offset) => offset));
    }
  }, 60_000);
});

/** Appends until the disk is full, then appends a small record. */
const FILL = `
  const broker = createEmbeddedBroker({ dir });
  await broker.open();
  await broker.ensureTopic({ name: "full", partitions: 1 });
  const append = async (size) => {
    const record = { key: null, value: Buffer.alloc(size, 1), headers: [], timestamp: 0 };
    const [outcome] = await broker.append("full", [record]);
    say(outcome.status === "stored" ? "stored " + outcome.offset : outcome.error.code);
    return outcome.status;
  };
  while (await append(100_000) === "stored");
  await append(100_000);
  say(await broker.check().then(() => "well", ({ code }) => code));
  await append(10);
  await broker.close();
  say("closed");
`;

describe("an embedded log at its file size limit", () => {
  it("fails the appends, keeps running, and has each acknowledged record", async () => {
    const child = children.start(FILL, { dir, fileLimit: 4000 });
    expect(await child.ended()).toBe(0);
    const stored = child.lines.filter((line) => line.startsWith("stored"));
    const failed = child.lines.filter((line) => line.startsWith("BROKER"));

    expect(child.lines.at(-1)).toBe("closed");
    expect(failed.length).toBeGreaterThanOrEqual(2);
    expect(stored).toEqual(stored.map((_, offset) => `stored ${offset}`));
    const broker = await opened();
    const read = await readBack(broker, "full", stored.length);
    await broker.close();
    expect(read).toHaveLength(stored.length);
    expect(stored.length).toBeGreaterThan(5);
  }, 60_000);
});
