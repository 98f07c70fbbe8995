/** The embedded log on full and faulty disks: real file systems, and the broker in a child process. */
import { execFileSync } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import type { Broker } from "../../../src/broker/broker.ts";
import { createEmbeddedBroker } from "../../../src/broker/embedded/embedded-broker.ts";
import type { Freed } from "../../../src/broker/embedded/retention.ts";
import type { GatewayError } from "../../../src/errors.ts";
import { createFakeClock } from "../../support/fake-clock.ts";
import { describeOnSmallDisks, mountSmallDisk, type SmallDisk } from "../../support/disk/small-disk.ts";
import { describeWithTools } from "../../support/tools.ts";
import { numbered, readBack, record, store, valueOf } from "../conformance/tools.ts";
import { prepareChildren, type Children } from "./child.ts";

const MIB = 1024 * 1024;

let children: Children;
beforeAll(async () => {
  children = await prepareChildren();
});
afterAll(() => children.remove());

/** The `+<value> <offset>` lines whose record is not in the log at this offset. */
const lostOf = async (dir: string, lines: readonly string[]): Promise<readonly string[]> => {
  const broker = createEmbeddedBroker({ dir, minFree: 0 });
  await broker.open();
  const [end] = await broker.watermarks("t");
  const stored = await readBack(broker, "t", Number(end?.high ?? 0n));
  await broker.close();
  const found = new Set(
    stored.map((record) => `+${valueOf(record)?.split(" ")[0] ?? ""} ${String(record.offset)}`),
  );
  return lines.filter((line) => line.startsWith("+") && !found.has(line));
};

/** Appends `<number> xxxx…` for ever from 32 writers; prints `+<number> <offset>`, or the code of the failure. */
const APPEND_FOREVER = `
  console.error = () => undefined;
  const broker = createEmbeddedBroker({ dir });
  await broker.open();
  await broker.ensureTopic({ name: "t", partitions: 1 });
  let last = 0;
  const write = async (writer) => {
    for (let turn = 0; ; turn += 1) {
      const id = last++;
      const value = Buffer.from(id + " " + "x".repeat(((writer + 1) * (turn + 7) * 7919) % 90_000));
      const [outcome] = await broker.append("t", [{ key: null, value, headers: [], timestamp: 0 }]);
      say(outcome.status === "stored" ? "+" + id + " " + outcome.offset : outcome.error.code);
      if (outcome.status !== "stored") await new Promise((resolve) => setTimeout(resolve, 5));
    }
  };
  for (let writer = 0; writer < 32; writer += 1) void write(writer);
`;

describeOnSmallDisks("an embedded log on a small disk", (kind) => {
  let disk: SmallDisk;
  let dir: string;
  beforeEach(() => {
    disk = mountSmallDisk(48, kind);
    dir = path.join(disk.directory, "log");
  });
  afterEach(() => {
    disk.unmount();
  });

  it("refuses appends at minFree, keeps running, and loses no acknowledged record", async () => {
    const child = children.start(APPEND_FOREVER, { dir });
    await child.printed("BROKER_UNAVAILABLE", 200);
    expect(await disk.freeBytes()).toBeGreaterThanOrEqual(8 * MIB - 4096);
    await child.kill();

    expect(new Set(child.lines.filter((line) => !line.startsWith("+")))).toEqual(
      new Set(["BROKER_UNAVAILABLE"]),
    );
    expect(child.lines.filter((line) => line.startsWith("+")).length).toBeGreaterThan(100);
    expect(await lostOf(dir, child.lines)).toEqual([]);
  }, 60_000);

  it("survives another program that fills the disk under load, and stores again when there is space", async () => {
    const child = children.start(APPEND_FOREVER, { dir });
    for (let round = 1; round <= 3; round += 1) {
      await child.lineCount(child.lines.length + 100);
      await disk.fill(0);
      const refused = child.lines.filter((line) => !line.startsWith("+")).length;
      await child.printed("BROKER_UNAVAILABLE", refused + 50);
      const stored = child.lines.filter((line) => line.startsWith("+")).length;
      await disk.free();
      await child.printed("+", stored + 20);
    }
    await child.kill();

    expect(child.lines).not.toContain("BROKER_AMBIGUOUS");
    expect(await lostOf(dir, child.lines)).toEqual([]);
  }, 60_000);

  it("can be read while it is full, stores positions, and refuses records and topics with 503", async () => {
    const broker = createEmbeddedBroker({ dir });
    await broker.open();
    await broker.ensureTopic({ name: "t", partitions: 1 });
    await store(broker, "t", numbered(5));
    await disk.fill(MIB);
    const full = { code: "BROKER_UNAVAILABLE", retryAfter: 1 };

    expect(await broker.append("t", numbered(1))).toMatchObject([{ status: "failed", error: full }]);
    await expect(broker.check()).rejects.toMatchObject(full);
    await expect(broker.ensureTopic({ name: "u" })).rejects.toMatchObject(full);
    await broker.setCommitted("g", [{ topic: "t", partition: 0, offset: 1n }]);
    expect((await readBack(broker, "t", 5)).map(valueOf)).toEqual(["0", "1", "2", "3", "4"]);

    await disk.free();
    await broker.check();
    await store(broker, "t", numbered(1));
    await broker.close();
  });

  describe("with retention", () => {
    const clock = createFakeClock();
    /** The first offset that must stay. */
    let held: bigint | undefined;
    let freed: number;
    const errors: GatewayError[] = [];
    let broker: Broker;

    const open = async (): Promise<void> => {
      const retention = {
        ...{ age: undefined, bytes: 4 * MIB, heldFrom: () => Promise.resolve(held), onHeld: () => undefined },
        onFreed: ({ bytes }: Freed) => {
          freed += bytes;
        },
        onError: (error: GatewayError) => errors.push(error),
      };
      broker = createEmbeddedBroker({ dir, clock, retention });
      await broker.open();
    };

    beforeEach(async () => {
      held = 0n;
      freed = 0;
      await open();
      await broker.ensureTopic({ name: "t", partitions: 1 });
    });
    afterEach(async () => {
      await broker.close();
      if (errors[0] !== undefined) throw errors[0];
    });

    /** Appends a record of this many bytes. Returns true if it was stored. */
    const append = async (bytes: number): Promise<boolean> => {
      const [outcome] = await broker.append("t", [record("x".repeat(bytes))]);
      return outcome?.status === "stored";
    };
    /** Appends records until one is refused. */
    const fillLog = async (bytes: number): Promise<void> => {
      while (await append(bytes));
      await expect(broker.check()).rejects.toMatchObject({ code: "BROKER_UNAVAILABLE" });
    };
    const untilFreed = async (bytes: number): Promise<void> => {
      while (freed < bytes) {
        clock.advance(10_000);
        await new Promise(setImmediate);
      }
    };

    it("stores again on the disk that the log itself has filled, and stays above one half of minFree", async () => {
      await fillLog(100_000);
      held = undefined;
      await untilFreed(20 * MIB);

      await broker.check();
      // More than the freed pages can take: retention goes on meanwhile.
      for (let stored = 0; stored < 50 * MIB; stored += 100_000) {
        while (!(await append(100_000))) {
          clock.advance(10_000);
          await new Promise(setImmediate);
        }
        clock.advance(10_000);
      }
      expect(await disk.freeBytes()).toBeGreaterThanOrEqual(4 * MIB - 4096);
    }, 240_000);

    it.each([false, true])(
      "frees records and stores again on a disk that another program has filled; after a restart: %p",
      async (restarts) => {
        for (let count = 0; count < 150; count += 1) await append(100_000);
        await disk.fill(0);
        if (restarts) {
          await broker.close();
          await disk.fill(0);
          await open();
        }
        expect(await append(100_000)).toBe(false);
        // A connector stores its position; then its records need not stay any more.
        await broker.setCommitted("g", [{ topic: "t", partition: 0, offset: 100n }]);
        held = 100n;
        await untilFreed(100 * 100_000);

        await broker.check();
        expect(await disk.freeBytes()).toBe(0);
        for (let count = 0; count < 30; count += 1) expect(await append(100_000)).toBe(true);
        const [ends] = await broker.watermarks("t");
        expect(ends).toMatchObject({ low: 100n, high: 180n });
      },
      60_000,
    );
  });

  it("opens an existing log on a full disk for reading, and refuses to create a new one", async () => {
    const before = createEmbeddedBroker({ dir });
    await before.open();
    await before.ensureTopic({ name: "t", partitions: 1 });
    await store(before, "t", numbered(5));
    await before.close();
    await disk.fill(0);

    const after = createEmbeddedBroker({ dir });
    await after.open();
    expect(await readBack(after, "t", 5)).toHaveLength(5);
    await expect(after.check()).rejects.toMatchObject({ code: "BROKER_UNAVAILABLE" });
    await after.close();
    const another = path.join(disk.directory, "another");
    await expect(createEmbeddedBroker({ dir: another }).open()).rejects.toMatchObject({
      code: "SETTINGS_INVALID",
      // On ext4 even the folder finds no space.
      message: expect.stringMatching(
        `^broker.embedded.dir: .*${another} (has no space on its disk|cannot be created \\(ENOSPC\\))$`,
      ) as string,
    });
  });
});

/** Prints the outcome of each append. The test turns a fault on and off meanwhile. */
const APPEND_SLOWLY = `
  console.error = () => undefined;
  const broker = createEmbeddedBroker({ dir });
  await broker.open();
  await broker.ensureTopic({ name: "t", partitions: 1 });
  for (let id = 0; ; id += 1) {
    const value = Buffer.from(id + " " + "x".repeat((id * 7919) % 9000));
    const [outcome] = await broker.append("t", [{ key: null, value, headers: [], timestamp: 0 }]);
    if (outcome.status === "stored") say("+" + id + " " + outcome.offset);
    else say((await broker.check().then(() => "well", ({ code }) => code)) + " after " + outcome.error.code);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
`;

describeWithTools("an embedded log on a disk with I/O errors", ["gcc"], () => {
  let dir: string;
  let library: string;
  beforeEach(async () => {
    dir = await mkdtemp(path.join(tmpdir(), "stationgate-faulty-"));
    library = path.join(dir, "faulty-disk.so");
    execFileSync("gcc", ["-shared", "-fPIC", "-o", library, "tests/support/disk/faulty-disk.c", "-ldl"]);
  });
  afterEach(() => rm(dir, { recursive: true }));

  it.each(["sync", "meta", "write"])(
    "acknowledges nothing while %s fails, recovers by itself, and has each acknowledged record",
    async (fault) => {
      const log = path.join(dir, "log");
      const env = { LD_PRELOAD: library, FAULTY_DISK: dir };
      const child = children.start(APPEND_SLOWLY, { dir: log, env });
      await child.printed("+", 10);
      await writeFile(path.join(dir, fault), "");
      await child.printed("BROKER_UNAVAILABLE after BROKER_AMBIGUOUS", 1);
      const stored = child.lines.filter((line) => line.startsWith("+")).length;
      await child.printed("BROKER_UNAVAILABLE after", 10);
      expect(child.lines.filter((line) => line.startsWith("+"))).toHaveLength(stored);
      await rm(path.join(dir, fault));
      await child.printed("+", stored + 10);
      await child.kill();

      expect(await lostOf(log, child.lines)).toEqual([]);
    },
    60_000,
  );
});
