/** Reads a slot's partition from its start, as far as its caller needs, into a view. */
import type { Broker, PartitionRead, ReadOptions, TopicPartitionOffset } from "../broker/broker.ts";
import { GatewayError } from "../errors.ts";
import type { Clock } from "../lib/clock.ts";
import { createSlotView, type SlotView } from "./slot-view.ts";

/** The parts of a broker that a slot's log uses. */
export interface SlotBroker extends Pick<Broker, "append" | "watermarks"> {
  read(from: TopicPartitionOffset, options: ReadOptions): Promise<PartitionRead>;
}

export interface SlotReaderOptions {
  readonly broker: SlotBroker;
  readonly clock: Clock;
  readonly topic: string;
  readonly slot: number;
  /** Aborted when this process doesn't hold the slot any more. */
  readonly signal: AbortSignal;
}

const WAIT_MS = 500;
const READ_BYTES = 4 * 1024 * 1024;

/** An append or a read failed for a reason that may pass. */
export class Trouble extends GatewayError {
  constructor(cause: unknown) {
    super("BROKER_UNAVAILABLE", { cause });
  }
}

export const moved = (): GatewayError => new GatewayError("SLOT_MOVED");

export class SlotReader {
  readonly #options: SlotReaderOptions;
  #view = createSlotView();
  #next = 0n;
  /** Records that the caller waits for. */
  readonly #awaited = new Set<string>();

  constructor(options: SlotReaderOptions) {
    this.#options = options;
  }

  get view(): SlotView {
    return this.#view;
  }

  /** Call it before the append. `records` are ids of `recordId`, which `SlotView.apply` returns. */
  await(records: readonly string[]): void {
    for (const record of records) this.#awaited.add(record);
  }

  /** True if all of these records were read, and count. */
  haveCounted(records: readonly string[]): boolean {
    return !records.some((record) => this.#awaited.has(record));
  }

  forget(): void {
    this.#awaited.clear();
  }

  /**
   * Begins again at the partition's start. After a fence of another process the old view is of no use: compaction may have removed
   * records or fences that decide whether later records count. The topic may also be a new one.
   */
  restart(): void {
    this.#next = 0n;
    this.#view = createSlotView();
  }

  /**
   * Reads until the record at this offset was read. It ignores the end offset that the broker reports, because a new leader may
   * report a lower one at first.
   * Rejects with `Trouble` if a read fails, or if the offset isn't reached within `limitMs`.
   */
  async readTo(offset: bigint, limitMs: number): Promise<void> {
    const { broker, clock, topic, slot, signal } = this.#options;
    const options = { maxBytes: READ_BYTES, maxWaitMs: WAIT_MS, signal };
    const began = clock.now();
    while (this.#next <= offset) {
      if (signal.aborted) throw moved();
      if (clock.now() - began >= limitMs) throw new Trouble(undefined);
      try {
        const read = await broker.read({ topic, partition: slot, offset: this.#next }, options);
        for (const record of read.records) {
          const counted = this.#view.apply(record);
          if (counted !== undefined) this.#awaited.delete(counted);
        }
        this.#next = read.next;
      } catch (error) {
        await this.#skipDeleted(error);
      }
    }
  }

  /** Kafka has deleted the records below the log's start. */
  async #skipDeleted(error: unknown): Promise<void> {
    const { broker, topic, slot } = this.#options;
    if (!(error instanceof GatewayError) || error.code !== "OFFSET_OUT_OF_RANGE") throw new Trouble(error);
    const all = await broker.watermarks(topic).catch((cause: unknown) => {
      throw new Trouble(cause);
    });
    const low = all.find(({ partition }) => partition === slot)?.low ?? 0n;
    if (low <= this.#next) throw new Trouble(error);
    this.#next = low;
  }
}
