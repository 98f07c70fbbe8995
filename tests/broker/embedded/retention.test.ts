import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import type { Broker } from "../../../src/broker/broker.ts";
import { createEmbeddedBroker } from "../../../src/broker/embedded/embedded-broker.ts";
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
  const errors: GatewayError[] = [];

  const open = async (): Promise<void> => {
    broker = createEmbeddedBroker({
      ...{ dir, clock },
      retention: { age: HOUR, heldFrom: () => held, onError: (error) => errors.push(error) },
    });
    await broker.open();
  };
  beforeEach(async () => {
    dir = await mkdtemp(path.join(tmpdir(), "stationgate-retention-"));
    clock = createFakeClock();
    held = undefined;
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
  /** Lets rounds go by until the first record is the one at `low`. */
  const untilLow = async (topic: string, low: bigint): Promise<void> => {
    while ((await ends(topic))[0] !== low) {
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
    held = 5n;
    await untilLow("t", 5n);
  });

  it("keeps all records of internal topics", async () => {
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
    for (const group of ["g", undefined]) {
      const probe = await subscribe(broker, { topics: ["t"], ...(group === undefined ? {} : { group }) });
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
