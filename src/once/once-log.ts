/**
 * The log of a slot of `once.topic`. Nothing is deleted from it, and every record counts. `enter` appends a fence, and reads
 * the slot up to it into a state machine: the longest window back, and at most the slot's share of ids.
 */
import type { Broker, ConsumedRecord } from "../broker/broker.ts";
import { GatewayError } from "../errors.ts";
import type { HeldLog, LogEnd } from "../home/contract.ts";
import { RETRY_MS, type SlotLogOptions, UNUSABLE_MS } from "../home/slot-log.ts";
import { pause } from "../lib/clock.ts";
import type { ReadRecord, SlotCore } from "./slot-core/slot-core.ts";
import { decodeSlotRecord, encodeSlotRecord, type SlotRecord, type Writer } from "./slot-records.ts";

export type OnceBroker = Pick<
  Broker,
  "appendOnce" | "leaderEnd" | "offsetsAt" | "partitions" | "read" | "topicId" | "watermarks"
>;

export interface OnceLogOptions extends Omit<SlotLogOptions, "broker"> {
  readonly broker: OnceBroker;
  /** Creates the state machine for the writer of the fence. */
  readonly createCore: (writer: Writer) => SlotCore;
  readonly writer: () => Writer;
  /** Milliseconds: how far back the slot is read. */
  readonly longestWindow: () => number;
  /** Ids that the slot remembers. */
  readonly share: number;
  readonly requestTimeoutMs: number;
}

/** A slot that was read up to the fence of this home. */
export interface EnteredSlot {
  readonly core: SlotCore;
  /** The offset behind the fence. */
  readonly end: number;
  /** The broker's time of the fence. */
  readonly timestamp: number;
}

/** Limits of one read. */
export const READ = { maxBytes: 4 * 1024 * 1024, maxWaitMs: 500 };

export class OnceLog implements HeldLog<EnteredSlot> {
  readonly #options: OnceLogOptions;
  #onStale: (() => void) | undefined;
  #isStale = false;

  constructor(options: OnceLogOptions) {
    this.#options = options;
    options.signal.addEventListener("abort", () => this.#onStale?.(), { once: true });
  }

  async enter(): Promise<EnteredSlot | LogEnd> {
    const { signal, clock, mayFence, confirm } = this.#options;
    let failingSince: number | undefined;
    while (!signal.aborted) {
      if (!mayFence() && !(await confirm())) return "moved";
      try {
        this.#isStale = false;
        return await this.#enter();
      } catch (error) {
        if (!(error instanceof GatewayError)) throw error;
        failingSince = mayFence() ? (failingSince ?? clock.now()) : undefined;
        if (failingSince !== undefined && clock.now() - failingSince >= UNUSABLE_MS) return "unusable";
        await pause(clock, RETRY_MS, signal);
      }
    }
    return "moved";
  }

  stale(): Promise<void> {
    return new Promise((resolve) => {
      if (this.#isStale || this.#options.signal.aborted) resolve();
      else this.#onStale = resolve;
    });
  }

  invalidate(): void {
    this.#isStale = true;
    this.#onStale?.();
  }

  /** Appends records. `unsent`: certainly not stored. */
  async append(
    records: readonly SlotRecord[],
    mayWrite: () => boolean,
  ): Promise<{ readonly base: number; readonly timestamp: number } | "unsent" | "unknown"> {
    const { broker, topic, slot: partition, clock, requestTimeoutMs: timeoutMs } = this.#options;
    const timestamp = clock.now();
    const batch = {
      partition,
      records: records.map((record) => ({
        key: null,
        value: encodeSlotRecord(record),
        headers: [],
        timestamp,
      })),
    };
    const [result] = await broker.appendOnce(topic, [batch], { mayWrite, timeoutMs });
    if (result?.status === "stored")
      return { base: Number(result.baseOffset), timestamp: result.timestamp ?? timestamp };
    return result?.status === "unknown" ? "unknown" : "unsent";
  }

  /** The records of this range, without those that no gateway of this version wrote. Rejects with BROKER_UNAVAILABLE. */
  async read(from: number, to: number, apply: (read: ReadRecord) => void): Promise<void> {
    const { broker, topic, slot: partition, signal } = this.#options;
    for (let offset = BigInt(from); offset < to;) {
      const { records, next } = await broker.read({ topic, partition, offset }, { ...READ, signal });
      for (const read of records) {
        if (read.offset >= to) return;
        const record = recordOf(read);
        if (record !== undefined) apply({ offset: Number(read.offset), timestamp: read.timestamp, record });
      }
      offset = next;
    }
  }

  async #enter(): Promise<EnteredSlot> {
    const { createCore, mayFence } = this.#options;
    const writer = this.#options.writer();
    const fence = await this.append([{ type: "fence", writer, ids: 0 }], mayFence);
    if (typeof fence === "string") throw new GatewayError("BROKER_UNAVAILABLE");
    const core = createCore(writer);
    await this.read(await this.#start(fence.base), fence.base, (read) => {
      core.apply(read);
    });
    if (!mayFence() && !(await this.#options.confirm())) throw new GatewayError("SLOT_MOVED");
    return { core, end: fence.base + 1, timestamp: fence.timestamp };
  }

  /** The offset from which the slot must be read. Finds by bisection where the last `share` ids begin. */
  async #start(fence: number): Promise<number> {
    const { broker, topic, slot, clock, longestWindow, share } = this.#options;
    const marks = (await broker.watermarks(topic)).find(({ partition }) => partition === slot);
    const since = (await broker.offsetsAt(topic, clock.now() - longestWindow())).find(
      ({ partition }) => partition === slot,
    );
    const low = Math.max(Number(marks?.low ?? 0n), Math.min(Number(since?.offset ?? 0n), fence));
    const total = await this.#idsFrom(Math.max(low, fence - 1), fence);
    if (total === undefined || total <= share) return low;
    let [first, last] = [low, fence];
    while (first < last) {
      const middle = Math.floor((first + last) / 2);
      const ids = await this.#idsFrom(middle, fence);
      if (ids !== undefined && ids < total - share) first = middle + 1;
      else last = middle;
    }
    // Outcomes behind this offset can name intents before it: those ids are beyond the share.
    return first;
  }

  /** The number of ids that the slot had before the first record that has one, from this offset on. */
  async #idsFrom(from: number, to: number): Promise<number | undefined> {
    const { broker, topic, slot: partition, signal } = this.#options;
    if (from >= to) return undefined;
    const options = { maxBytes: 1, maxWaitMs: READ.maxWaitMs, signal };
    for (let offset = BigInt(from); offset < to;) {
      const { records, next } = await broker.read({ topic, partition, offset }, options);
      for (const read of records) {
        const record = read.offset < to ? recordOf(read) : undefined;
        if (record !== undefined && record.type !== "fence") return record.ids;
      }
      offset = next;
    }
    return undefined;
  }
}

const recordOf = ({ value }: ConsumedRecord): SlotRecord | undefined =>
  value === null ? undefined : decodeSlotRecord(value);
