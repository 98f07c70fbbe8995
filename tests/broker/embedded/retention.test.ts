import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import type { Broker } from "../../../src/broker/broker.ts";
import { createEmbeddedBroker } from "../../../src/broker/embedded/embedded-broker.ts";
import type { Freed, RetentionOptions } from "../../../src/broker/embedded/retention.ts";
import type { GatewayError } from "../../../src/errors.ts";
import { createFakeClock } from "../../support/fake-clock.ts";
import { readOptions } from "../conformance/reading.ts";
import { record, store, subscribe, valueOf } from "../conformance/tools.ts";

const HOUR = 3_600_000;
/** Longer than all rounds of a test. */
const FAR = 1_000_000 * HOUR;

describe("the retention of the embedded log", () => {
  let dir: string;
  let broker: Broker;
  let clock: ReturnType<typeof createFakeClock>;
  let held: bigint | undefined;
  let freed: Freed;
  let heldPartitions: number;
  const errors: GatewayError[] = [];

  const open = async (limits: Partial<RetentionOptions> = {}): Promise<void> => {
    broker = createEmbeddedBroker({
      ...{ dir, clock },
      retention: {
        ...{ age: HOUR, bytes: undefined, ...limits },
        heldFrom: () => Promise.resolve(held),
        onFreed: ({ records, bytes }) => {
          freed = { records: freed.records + records, bytes: freed.bytes + bytes };
        },
        onHeld: (partitions) => {
          heldPartitions = partitions;
        },
        onError: (error) => errors.push(error),
      },
    });
    await broker.open();
  };
  beforeEach(async () => {
    dir = await mkdtemp(path.join(tmpdir(), "stationgate-retention-"));
    clock = createFakeClock();
    held = undefined;
    freed = { records: 0, bytes: 0 };
    heldPartitions = 0;
    await open();
  });
  afterEach(async () => {
    await broker.close();
    await rm(dir, { recursive: true });
    if (errors[0] !== undefined) throw errors[0];
  });

  /** One record in each batch. */
  const fill = async (topic: string, count: number, age = 0): Promise<void> => {
    await broker.ensureTopic({ name: topic, partitions: 1 });
    for (let n = 0; n < count; n += 1)
      await store(broker, topic, [record(`${n}`, { timestamp: clock.now() - age })]);
  };
  const ends = async (topic: string): Promise<readonly bigint[]> => {
    const [{ low, high } = { low: -1n, high: -1n }] = await broker.watermarks(topic);
    return [low, high];
  };
  /** Lets rounds go by until the first record is the one at `low`, or a later one. */
  const untilLow = async (topic: string, low: bigint): Promise<void> => {
    while (((await ends(topic))[0] ?? -1n) < low) {
      clock.advance(60_000);
      await new Promise(setImmediate);
    }
  };
  /** Some rounds, in which all of a round's transactions can end. */
  const rounds = async (): Promise<void> => {
    for (let n = 0; n < 50; n += 1) {
      clock.advance(60_000);
      await new Promise(setImmediate);
    }
  };
  const read = (topic: string, offset: bigint) => broker.read({ topic, partition: 0, offset }, readOptions());

  it("frees the records that are too old, in many transactions, and no newer ones", async () => {
    await fill("t", 100, 2 * HOUR);
    await fill("t", 3, -FAR);
    await untilLow("t", 100n);
    expect(await ends("t")).toEqual([100n, 103n]);
    expect((await read("t", 100n)).records.map(valueOf)).toEqual(["0", "1", "2"]);
    expect((await read("t", 100n)).low).toBe(100n);
  });

  it("refuses to read a record that was freed", async () => {
    await fill("t", 5, 2 * HOUR);
    await untilLow("t", 4n);
    await expect(read("t", 3n)).rejects.toMatchObject({ code: "OFFSET_OUT_OF_RANGE" });
  });

  it("keeps the last batch, and continues with the next offset after a restart", async () => {
    await fill("t", 5, 2 * HOUR);
    await untilLow("t", 4n);
    await rounds();
    expect(await ends("t")).toEqual([4n, 5n]);
    await broker.close();
    await open();
    expect(await ends("t")).toEqual([4n, 5n]);
    expect(await store(broker, "t", [record("next")])).toMatchObject([{ offset: 5n }]);
  });

  it("frees nothing that must stay, and goes on when it need not stay any more", async () => {
    held = 3n;
    await fill("t", 6, 2 * HOUR);
    await untilLow("t", 3n);
    await rounds();
    expect(await ends("t")).toEqual([3n, 6n]);
    expect(heldPartitions).toBe(1);
    held = 5n;
    await untilLow("t", 5n);
    await rounds();
    expect(heldPartitions).toBe(0);
  });

  it("counts the records and bytes that it frees", async () => {
    await fill("t", 5, 2 * HOUR);
    await untilLow("t", 4n);
    await rounds();
    // A batch of one record: 4 bytes for the batch, 20 for the record, 1 for its value.
    expect(freed).toEqual({ records: 4, bytes: 4 * 25 });
  });

  describe("by bytes", () => {
    /** Five batches of 26 bytes: 4 for the batch, 20 for the record, 2 for a value such as "19". */
    const limit = { age: undefined, bytes: 5 * 26 };

    it("frees the oldest records of a partition that has more", async () => {
      await broker.close();
      await open(limit);
      await fill("t", 20);
      await untilLow("t", 15n);
      await rounds();
      expect(await ends("t")).toEqual([15n, 20n]);
    });

    it("counts the records of earlier runs, also those that were freed by age", async () => {
      await fill("t", 50, 2 * HOUR);
      await fill("t", 60, -FAR);
      await untilLow("t", 50n);
      await broker.close();
      await open({ bytes: limit.bytes });
      await untilLow("t", 105n);
      await rounds();
      expect(await ends("t")).toEqual([105n, 110n]);
    });

    it("keeps the last batch, even if it alone has more", async () => {
      await broker.close();
      await open(limit);
      await fill("t", 5);
      await store(broker, "t", [record("x".repeat(200))]);
      await untilLow("t", 5n);
      await rounds();
      expect(await ends("t")).toEqual([5n, 6n]);
    });

    it("waits for the records that must stay", async () => {
      await broker.close();
      await open(limit);
      held = 3n;
      await fill("t", 20);
      await untilLow("t", 3n);
      await rounds();
      expect(await ends("t")).toEqual([3n, 20n]);
    });
  });

  it("keeps the records of a topic for the topic's own retention, which is never lowered", async () => {
    const topic = "_stationgate-once";
    await fill(topic, 5, 3 * HOUR);
    await fill(topic, 5, 2 * HOUR);
    await fill(topic, 1, -FAR);
    await broker.ensureTopic({ name: topic, partitions: 1, retentionMs: FAR });
    await rounds();
    expect(await ends(topic)).toEqual([0n, 11n]);
    await broker.close();
    // The limit of 26 bytes is that of the stations.
    await open({ bytes: 26 });
    await broker.ensureTopic({ name: topic, partitions: 1, retentionMs: 2 * HOUR + FAR / 2 });
    await broker.ensureTopic({ name: topic, partitions: 1, retentionMs: HOUR });
    await rounds();
    expect(await ends(topic)).toEqual([0n, 11n]);
    await broker.close();
    await open({ bytes: 26 });
    await broker.ensureTopic({ name: topic, partitions: 1, retentionMs: HOUR });
    await untilLow(topic, 10n);
    expect(await ends(topic)).toEqual([10n, 11n]);
  });

  it("keeps all records of other internal topics", async () => {
    await fill("_stationgate-connectors", 5, 2 * HOUR);
    await fill("t", 5, 2 * HOUR);
    await untilLow("t", 4n);
    await rounds();
    expect(await ends("_stationgate-connectors")).toEqual([0n, 5n]);
  });

  it("lets a subscription start at the first record that is left", async () => {
    await fill("t", 5, 2 * HOUR);
    await broker.setCommitted("g", [{ topic: "t", partition: 0, offset: 1n }]);
    await untilLow("t", 4n);
    const starts = [
      { group: "g", from: "earliest" },
      { group: "g", from: "latest" },
      { from: "earliest" },
    ] as const;
    for (const start of starts) {
      const probe = await subscribe(broker, { topics: ["t"], ...start });
      await probe.until(() => probe.records.length > 0);
      expect(probe.records.map(({ offset }) => offset)).toEqual([4n]);
      await probe.close();
    }
  });

  it("finds offsets by time among the records that are left", async () => {
    await fill("t", 5, 2 * HOUR);
    await fill("t", 1, -FAR);
    await untilLow("t", 5n);
    expect(await broker.offsetsAt("t", 0)).toEqual([{ topic: "t", partition: 0, offset: 5n }]);
  });
});
