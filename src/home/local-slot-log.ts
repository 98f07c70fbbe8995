/**
 * The log of a slot on a broker that only this process can write to. No other process can hold the slot, so there are no
 * fences: entering the log writes nothing, also if the disk is full, and a record counts as soon as it is stored.
 */
import type { Broker } from "../broker/broker.ts";
import type { HeldSlotLog, SlotRecord } from "./contract.ts";
import { moved, type SlotReaderOptions } from "./slot-reader.ts";

const READ = { maxBytes: 4 * 1024 * 1024, maxWaitMs: 0 };

type LocalSlotLogOptions = SlotReaderOptions & {
  readonly broker: Pick<Broker, "append" | "read" | "watermarks">;
};

export class LocalSlotLog implements HeldSlotLog {
  readonly #options: LocalSlotLogOptions;
  #onStale: () => void = () => undefined;

  constructor(options: LocalSlotLogOptions) {
    this.#options = options;
    options.signal.addEventListener(
      "abort",
      () => {
        this.#onStale();
      },
      { once: true },
    );
  }

  async enter(): Promise<ReadonlyMap<string, Buffer>> {
    const { broker, topic, slot: partition, signal } = this.#options;
    const end = (await broker.watermarks(topic)).find((one) => one.partition === partition)?.high ?? 0n;
    const living = new Map<string, Buffer>();
    for (let offset = 0n; offset < end;) {
      const { records, next } = await broker.read({ topic, partition, offset }, { ...READ, signal });
      for (const { key, value } of records) {
        const name = String(key);
        if (value === null) living.delete(name);
        else living.set(name, value);
      }
      offset = next;
    }
    return living;
  }

  stale(): Promise<void> {
    return new Promise((resolve) => {
      if (this.#options.signal.aborted) resolve();
      else this.#onStale = resolve;
    });
  }

  invalidate(): void {
    this.#onStale();
  }

  async put(records: readonly SlotRecord[]): Promise<void> {
    const { broker, clock, topic, slot: partition, signal } = this.#options;
    if (signal.aborted) throw moved();
    const timestamp = clock.now();
    const outcomes = await broker.append(
      topic,
      records.map(({ name, value }) => ({
        key: Buffer.from(name),
        value,
        headers: [],
        timestamp,
        partition,
      })),
    );
    for (const outcome of outcomes) if (outcome.status === "failed") throw outcome.error;
  }
}
