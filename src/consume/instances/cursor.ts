/**
 * The position of an instance in one partition, and the records that were read ahead of it. Nothing is read unless a call
 * asks for it.
 */
import type { Broker, ConsumedRecord } from "../../broker/broker.ts";
import { asGatewayError, type GatewayError } from "../../errors.ts";
import { type Clock, pause } from "../../lib/clock.ts";
import type { MemoryBudget } from "../../lib/memory-budget.ts";
import type { NamedPartition } from "./requests.ts";

/** Where a partition is read from. */
export interface Start {
  readonly offset: bigint;
  /** The group's committed offset. */
  readonly committed: bigint | undefined;
  /** The next automatic commit includes the offset. */
  readonly isDue: boolean;
}

export interface CursorOptions {
  readonly of: NamedPartition;
  readonly broker: Pick<Broker, "read">;
  readonly clock: Clock;
  readonly memory: Pick<MemoryBudget, "tryTake" | "give">;
  /** Makes other buffers smaller. */
  readonly makeRoom: () => void;
  readonly start: () => Promise<Start>;
  /** The partition does not have the offset. Resolves to where to go on. */
  readonly existing: (offset: bigint, committed: bigint | undefined) => Promise<bigint>;
  /** A read has ended. */
  readonly onRead: () => void;
  readonly onError: (error: GatewayError) => void;
}

const FAULT_PAUSE_MS = 250;
const CURRENT_MS = 1000;

export class Cursor {
  readonly of: NamedPartition;
  readonly #options: CursorOptions;
  /** Aborted when the position is set from outside: answers to earlier reads do not count. */
  #round = new AbortController();
  #started: Promise<void> | undefined;
  #reading = false;
  #records: ConsumedRecord[] = [];
  /** The offset that is read next; undefined: the start is not known yet. */
  #next: bigint | undefined;
  #answeredAt = -Infinity;
  readonly #openedAt: number;
  /** Index of the first record that was not handed out. */
  #head = 0;
  #bytes = 0;
  #isStarved = false;
  /** The offset of the next record that is handed out. */
  #position: bigint | undefined;
  #committed: bigint | undefined;
  /** Everything before this offset was sent whole, and is not committed. */
  #due: bigint | undefined;

  constructor(options: CursorOptions) {
    this.#options = options;
    this.of = options.of;
    this.#openedAt = options.clock.now();
  }

  /** Bytes of the keys and values that can be handed out now. */
  get bytes(): number {
    return this.#bytes;
  }

  get hasRecord(): boolean {
    return this.#head < this.#records.length;
  }

  get position(): bigint | undefined {
    return this.#position;
  }

  get committed(): bigint | undefined {
    return this.#committed;
  }

  get due(): bigint | undefined {
    return this.#due;
  }

  get isClosed(): boolean {
    return this.#next === undefined && this.#round.signal.aborted;
  }

  /** The partition's leader has answered a read within the last second. */
  get isCurrent(): boolean {
    return this.#options.clock.now() - this.#answeredAt <= CURRENT_MS;
  }

  /** When the leader answered last. A new cursor counts as answered: partitions move whenever an instance comes or goes. */
  get heardAt(): number {
    return Math.max(this.#answeredAt, this.#openedAt);
  }

  /** The last read found no memory for its records. */
  get isStarved(): boolean {
    return this.#isStarved;
  }

  /** The position is known when the promise has resolved. Rejects with BROKER_UNAVAILABLE. */
  async begin(): Promise<void> {
    if (this.#next !== undefined) return;
    this.#started ??= this.#start(this.#round.signal).finally(() => (this.#started = undefined));
    await this.#started;
  }

  /** Reads on in the background, with one read at a time. */
  fetch(maxBytes: number, maxWaitMs: number): void {
    if (this.#reading || this.#round.signal.aborted) return;
    this.#reading = true;
    void this.#read(maxBytes, maxWaitMs, this.#round.signal);
  }

  /** The next record, if its bytes fit or if it is the first one of an answer. */
  take(maxBytes: number, isFirst: boolean): ConsumedRecord | undefined {
    const record = this.#records[this.#head];
    if (record === undefined || (!isFirst && sizeOf(record) > maxBytes)) return undefined;
    this.#head += 1;
    if (this.#head === this.#records.length) this.#forget();
    this.#bytes -= sizeOf(record);
    this.#position = record.offset + 1n;
    return record;
  }

  /** An answer is open from this position on. The returned function must be called when it has ended. */
  handOut(from: bigint, records: readonly ConsumedRecord[]): (sentWhole: boolean) => void {
    const { signal } = this.#round;
    const to = this.#position;
    return (sentWhole) => {
      this.#give(records);
      if (signal.aborted) return;
      if (sentWhole) this.#due = to;
      else this.#jump(from);
    };
  }

  /** Sets the position. The next automatic commit includes it. */
  seek(offset: bigint): void {
    this.#jump(offset);
    this.#due = offset;
  }

  /** The group has committed this offset. */
  hasCommitted(offset: bigint): void {
    this.#committed = offset;
    if (this.#due !== undefined && this.#due <= offset) this.#due = undefined;
  }

  /** Forgets the records that were read ahead. */
  dropBuffer(): void {
    if (this.#position !== undefined && this.#head < this.#records.length) this.#jump(this.#position);
  }

  close(): void {
    this.#round.abort();
    this.#clear();
    this.#next = undefined;
  }

  #jump(offset: bigint): void {
    if (this.isClosed) return;
    this.#round.abort();
    this.#round = new AbortController();
    this.#reading = false;
    this.#clear();
    this.#position = offset;
    this.#next = offset;
  }

  #clear(): void {
    this.#give(this.#records.slice(this.#head));
    this.#forget();
    this.#bytes = 0;
  }

  #forget(): void {
    this.#records = [];
    this.#head = 0;
  }

  #give(records: readonly ConsumedRecord[]): void {
    this.#options.memory.give(records.reduce((sum, record) => sum + memoryOf(record), 0));
  }

  async #start(signal: AbortSignal): Promise<void> {
    const start = await this.#options.start();
    if (!signal.aborted) this.#startAt(start);
  }

  #startAt({ offset, committed, isDue }: Start): void {
    this.#next = offset;
    this.#position = offset;
    this.#committed = committed;
    this.#due = isDue ? offset : undefined;
  }

  async #read(maxBytes: number, maxWaitMs: number, signal: AbortSignal): Promise<void> {
    const { clock, onRead, onError } = this.#options;
    try {
      await this.begin();
      if (!signal.aborted) await this.#readOnce(maxBytes, maxWaitMs, signal);
    } catch (error) {
      if (signal.aborted) return;
      onError(asGatewayError(error));
      await pause(clock, FAULT_PAUSE_MS, signal);
    }
    if (signal.aborted) return;
    this.#reading = false;
    onRead();
  }

  async #readOnce(maxBytes: number, maxWaitMs: number, signal: AbortSignal): Promise<void> {
    const { broker, of, clock } = this.#options;
    const isOver = (): boolean => signal.aborted;
    const offset = this.#next ?? 0n;
    const from = { topic: of.topic, partition: of.partition, offset };
    try {
      const { records, next } = await broker.read(from, { maxBytes, maxWaitMs, signal });
      if (isOver()) return;
      this.#answeredAt = clock.now();
      this.#keep(records, next);
    } catch (error) {
      if (isOver() || asGatewayError(error).code !== "OFFSET_OUT_OF_RANGE") throw error;
      const existing = await this.#options.existing(offset, this.#committed);
      if (isOver()) return;
      this.#next = existing;
      // Records that were read before still come first.
      if (this.#records.length === 0) this.#position = existing;
    }
  }

  #keep(records: readonly ConsumedRecord[], next: bigint): void {
    const { memory, makeRoom } = this.#options;
    this.#isStarved = false;
    for (const record of records) {
      const bytes = memoryOf(record);
      if (!memory.tryTake(bytes)) {
        makeRoom();
        if (!memory.tryTake(bytes)) {
          this.#isStarved = true;
          this.#next = record.offset;
          return;
        }
      }
      this.#bytes += sizeOf(record);
      this.#records.push(record);
    }
    this.#next = next;
  }
}

/** Bytes of the key and the value, which count in `max_bytes`. */
export const sizeOf = ({ key, value }: ConsumedRecord): number => (key?.length ?? 0) + (value?.length ?? 0);

/** Memory of a record, with its object. */
const memoryOf = (record: ConsumedRecord): number =>
  record.headers.reduce(
    (sum, { name, value }) => sum + name.length + (value?.length ?? 0),
    RECORD_BYTES + sizeOf(record),
  );

const RECORD_BYTES = 200;
