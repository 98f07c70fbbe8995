import { createMemoryBroker } from "../../src/broker/memory/memory-broker.ts";
import {
  createPartitionSource,
  type PartitionSource,
  type Read,
} from "../../src/consume/partition-source.ts";
import { GatewayError } from "../../src/errors.ts";
import { createFakeClock } from "../support/fake-clock.ts";

const TOPIC = "orders";
const PARTITION = { topic: TOPIC, partition: 0 };

describe("a partition's source", () => {
  const clock = createFakeClock();
  const broker = createMemoryBroker({ partitions: 1, clock });
  let source: PartitionSource;
  let seen: string[];
  let onSeen: () => void;

  const until = async (condition: () => boolean): Promise<void> => {
    while (!condition()) await new Promise<void>((resolve) => (onSeen = resolve));
  };

  const see = (text: string): void => {
    seen.push(text);
    onSeen();
  };

  const append = async (...values: string[]): Promise<void> => {
    const records = values.map((value) => ({
      key: null,
      value: Buffer.from(value),
      headers: [],
      timestamp: 0,
      partition: 0,
    }));
    await broker.append(TOPIC, records);
  };

  const start = (
    from: bigint,
    read: Read = (from, options) => broker.read(from, options),
    outOfRange = 0n,
  ): void => {
    source = createPartitionSource({
      read,
      clock,
      partition: PARTITION,
      start: from,
      maxReadBytes: 1000,
      handlers: {
        onRecords: (records) => {
          for (const { value } of records) see(String(value));
        },
        onPassed: (offset) => {
          see(`passed ${offset}`);
        },
        onAnswered: () => undefined,
        onOutOfRange: (offset) => {
          see(`out of range ${offset}`);
          return Promise.resolve(outOfRange);
        },
        onError: ({ code }) => {
          see(code);
        },
      },
    });
  };

  beforeEach(async () => {
    seen = [];
    onSeen = () => undefined;
    await broker.ensureTopic({ name: TOPIC });
  });

  afterEach(() => {
    source.close();
  });

  afterAll(() => broker.close());

  it("reads the records from its start on, and those that are appended later", async () => {
    await append("a", "b");
    start(1n);
    await until(() => seen.length === 1);
    await append("c");
    await until(() => seen.length === 2);
    expect(seen).toEqual(["b", "c"]);
  });

  it("tells when the leader has answered", async () => {
    start(0n);
    await until(() => seen.length > 0);
    expect(source.answeredAt).toBe(clock.now());
  });

  it("reads nothing while it is paused", async () => {
    const reads: bigint[] = [];
    start(0n, (from, options) => {
      reads.push(from.offset);
      source.pause();
      return broker.read(from, options);
    });
    await until(() => seen.length > 0);
    expect(reads).toEqual([0n]);
    source.resume();
    await Promise.resolve();
    expect(reads).toHaveLength(2);
  });

  it("reads again from the offset of a seek, and drops the answer that was on its way", async () => {
    const signals: AbortSignal[] = [];
    start(0n, (from, options) => {
      signals.push(options.signal);
      return broker.read(from, options);
    });
    source.seek(2n);
    await until(() => seen.length > 0);
    expect(seen).toEqual(["c"]);
    expect(signals.map(({ aborted }) => aborted)).toEqual([true, false]);
  });

  it("continues at the offset that it is given if its own doesn't exist", async () => {
    start(99n, (from, options) => broker.read(from, options), 2n);
    await until(() => seen.length === 2);
    expect(seen).toEqual(["out of range 99", "c"]);
  });

  it("reads again after a fault, a little later", async () => {
    let faults = 1;
    start(2n, (from, options) =>
      faults-- > 0 ? Promise.reject(new GatewayError("BROKER_UNAVAILABLE")) : broker.read(from, options),
    );
    await until(() => seen.length === 1);
    await clock.pending(250);
    clock.advance(250);
    await until(() => seen.length === 2);
    expect(seen).toEqual(["BROKER_UNAVAILABLE", "c"]);
  });

  it("reports offsets without a record", async () => {
    let reads = 0;
    start(0n, (from, { signal }) =>
      reads++ === 0
        ? Promise.resolve({ records: [], next: 7n, low: 0n, high: 7n })
        : new Promise((_, reject) => {
            signal.addEventListener("abort", () => {
              reject(new GatewayError("BROKER_UNAVAILABLE"));
            });
          }),
    );
    await until(() => seen.length === 1);
    expect(seen).toEqual(["passed 7"]);
  });

  it("calls no handler after it is closed", async () => {
    let answer = (): void => undefined;
    start(
      0n,
      () =>
        new Promise((resolve) => {
          answer = () => {
            resolve({ records: [], next: 1n, low: 0n, high: 1n });
          };
        }),
    );
    source.close();
    answer();
    await new Promise(setImmediate);
    expect(seen).toEqual([]);
  });
});
