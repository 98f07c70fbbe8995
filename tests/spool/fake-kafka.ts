/** A Kafka whose outage a test begins and ends, and a spool in front of it. */
import { setTimeout as sleep } from "node:timers/promises";
import type { AppendOutcome, BrokerRecord } from "../../src/broker/broker.ts";
import { GatewayError } from "../../src/errors.ts";
import { createBatcher } from "../../src/ingest/batcher/batcher.ts";
import { IN_FLIGHT } from "../../src/ingest/batcher/pending.ts";
import { systemClock } from "../../src/lib/clock.ts";
import type { OwnSpoolOptions } from "../../src/spool/spool.ts";
import type { SpoolOutcome } from "../../src/spool/topic-calls.ts";

export class FakeKafka {
  readonly log: string[] = [];
  mode: "up" | "down" | "hanging" = "up";
  readonly #held: (() => void)[] = [];
  refuses = "";
  /** Of the topic: `missing` appends and `prepare` find no topic. */
  topic: "exists" | "missing" | "forbidden" = "exists";
  /** True: `prepare` creates a missing topic. */
  mayCreate = false;

  /** Ends the appends that hang. */
  release(): void {
    for (const end of this.#held.splice(0)) end();
  }

  append = async (_: string, records: readonly BrokerRecord[]): Promise<readonly AppendOutcome[]> => {
    if (this.mode === "hanging")
      await new Promise<void>((resolve) => {
        this.#held.push(resolve);
      });
    // `this.mode` may have changed in the meantime.
    if ((this.mode as string) === "down")
      return records.map(() => ({ status: "failed", error: new GatewayError("BROKER_UNAVAILABLE") }));
    if (this.topic !== "exists") {
      const error = new GatewayError(this.topic === "missing" ? "STATION_UNKNOWN" : "TOPIC_REFUSED");
      return records.map(() => ({ status: "failed", error }));
    }
    return records.map((each) => {
      const value = each.value?.toString() ?? "";
      if (value === this.refuses) return { status: "failed", error: new GatewayError("RECORD_TOO_LARGE") };
      this.log.push(value);
      return { status: "stored", partition: 0, offset: BigInt(this.log.length), timestamp: 0 };
    });
  };

  prepare = (): Promise<number> => {
    if (this.mode === "down") return Promise.reject(new GatewayError("BROKER_UNAVAILABLE"));
    if (this.topic === "missing" && this.mayCreate) this.topic = "exists";
    return Promise.resolve(this.topic === "missing" ? 0 : 1);
  };
}

/** Notes in `seen` what the spool reports. */
export const optionsFor = (kafka: FakeKafka, dir: string, seen: string[], maxBufferedBytes = 1 << 26) => {
  const batcher = createBatcher({
    broker: kafka,
    deliveryTimeoutMs: 5000,
    maxBufferedBytes,
    maxAppendRecords: 2000,
    maxAppendBytes: 900_000,
  });
  return {
    ...{ dir, maxBytes: 1 << 30, afterMs: 200, deadlineMs: 5000, appendBytes: 900_000, drainBytes: 1 << 25 },
    batcher: Object.assign(batcher, { inFlight: IN_FLIGHT, toRecord: (event: BrokerRecord) => event }),
    drain: (topic, records) => batcher.appendInOrder(topic, records),
    ...{ prepare: kafka.prepare, refusedAfterMs: 60_000 },
    clock: systemClock,
    observer: {
      drained: () => undefined,
      refused: (topic, events, { code }) => seen.push(`refused ${topic} ${events} ${code}`),
      waits: (topic, code) => {
        const line = `${topic} waits ${code}`;
        if (seen.at(-1) !== line) seen.push(line);
      },
      damaged: ({ isTail }) => seen.push(isTail ? "torn" : "damaged"),
      failed: (_, error) => seen.push(String(error)),
      unspooled: ({ code }) => seen.push(`unspooled ${code}`),
      unread: (folder, error) => seen.push(`unread ${folder} ${String(error)}`),
      disk: (isWritable) => seen.push(isWritable ? "writable" : "unwritable"),
      switched: (topic, isSpooling) => seen.push(`${topic} ${isSpooling ? "spools" : "is direct"}`),
    },
  } satisfies OwnSpoolOptions;
};

export const statusesOf = (outcomes: readonly SpoolOutcome[]): readonly string[] =>
  outcomes.map((outcome) => (outcome.status === "failed" ? outcome.error.code : outcome.status));

/** Milliseconds. A slow machine may need them; the tests claim no time. */
const WAIT_MS = 30_000;

export const until = async (holds: () => boolean): Promise<void> => {
  const end = Date.now() + WAIT_MS;
  while (!holds() && Date.now() < end) await sleep(5);
  expect(holds()).toBe(true);
};
