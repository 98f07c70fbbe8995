/**
 * The log of a slot while this process holds it. `enter` appends a fence, reads the partition up to it, and writes the
 * living records again under the new writer's id, so that all older keys can be deleted. `put` appends records and reads
 * them back. Call `enter` again after an append without a clear outcome, and after a fence of another process was read.
 */
import { randomUUID } from "node:crypto";
import type { AppendOutcome, BrokerRecord } from "../broker/broker.ts";
import { asGatewayError, GatewayError } from "../errors.ts";
import { pause } from "../lib/clock.ts";
import type { HeldSlotLog, LogEnd, SlotRecord } from "./contract.ts";
import { moved, SlotReader, type SlotReaderOptions, Trouble } from "./slot-reader.ts";
import { fenceKey, recordId, recordKey, sequenceHeader } from "./slot-view.ts";

export interface SlotLogOptions extends SlotReaderOptions {
  /** Written into the fence, for people who read the topic. */
  readonly processId: string;
  /** True while a fence may be appended: the last answered heartbeat was sent a short time ago. */
  readonly mayFence: () => boolean;
  /** Sends heartbeats. Resolves to true when Kafka answers one of them, and to false when other processes may hold the slot. */
  readonly confirm: () => Promise<boolean>;
}

/** The slot is given up if the log is unusable for this time while Kafka answers heartbeats. */
export const UNUSABLE_MS = 30_000;
export const RETRY_MS = 500;
/** Records of one append while the log is entered. */
const CHUNK = 500;

interface PendingPut {
  readonly records: readonly SlotRecord[];
  /** The records of the append that is in flight. */
  sent: readonly string[];
  readonly resolve: () => void;
  readonly reject: (error: GatewayError) => void;
}

export class SlotLogWriter implements HeldSlotLog {
  readonly #options: SlotLogOptions;
  readonly #reader: SlotReader;
  #writer = "";
  #sequence = 0;
  readonly #waiting: PendingPut[] = [];
  #inFlight: readonly PendingPut[] = [];
  #state: "closed" | "open" | "ended" = "closed";
  /** No heartbeat was answered after another process's fence was seen. */
  #isDenied = false;
  #failingSince: number | undefined;
  #onStale: () => void = () => undefined;

  constructor(options: SlotLogOptions) {
    this.#options = options;
    this.#reader = new SlotReader(options);
    const end = (): void => {
      this.#state = "ended";
      for (const { reject } of [...this.#inFlight, ...this.#waiting.splice(0)]) reject(moved());
      this.#inFlight = [];
      this.#onStale();
    };
    if (options.signal.aborted) end();
    else options.signal.addEventListener("abort", end, { once: true });
  }

  async enter(): Promise<ReadonlyMap<string, Buffer> | LogEnd> {
    const { signal, clock } = this.#options;
    while (!signal.aborted && !this.#isDenied) {
      try {
        if (!(await this.#mayFence())) return "moved";
        if (await this.#clean(await this.#fence())) {
          // If this process was frozen since its fence, another process may have fenced the log, and the view may be out of date.
          if (!(await this.#mayFence())) return "moved";
          this.#failingSince = undefined;
          this.#settleInFlight();
          this.#reader.view.takeCopySeen();
          this.#state = "open";
          const living = new Map(this.#reader.view.living);
          this.#pump();
          return living;
        }
      } catch (error) {
        if (!(error instanceof Trouble)) {
          if (error instanceof GatewayError && error.code === "SLOT_MOVED") return "moved";
          throw error;
        }
        if (this.#isUnusable()) return "unusable";
        await pause(clock, RETRY_MS, signal);
      }
    }
    return "moved";
  }

  stale(): Promise<void> {
    return new Promise((resolve) => {
      if (this.#state === "open") this.#onStale = resolve;
      else resolve();
    });
  }

  invalidate(): void {
    if (this.#state === "open") this.#becomeStale();
  }

  put(records: readonly SlotRecord[]): Promise<void> {
    if (this.#state === "ended") return Promise.reject(moved());
    if (records.length === 0) return Promise.resolve();
    return new Promise((resolve, reject) => {
      this.#waiting.push({ records, sent: [], resolve, reject });
      this.#pump();
    });
  }

  #isUnusable(): boolean {
    const now = this.#options.clock.now();
    this.#failingSince = this.#options.mayFence() ? (this.#failingSince ?? now) : undefined;
    return this.#failingSince !== undefined && now - this.#failingSince >= UNUSABLE_MS;
  }

  async #mayFence(): Promise<boolean> {
    const { mayFence, confirm } = this.#options;
    return mayFence() || (await confirm());
  }

  /** Appends a fence, reads up to it, and returns its offset. */
  async #fence(): Promise<bigint> {
    const { processId, slot } = this.#options;
    const writer = randomUUID();
    const value = Buffer.from(JSON.stringify({ process: processId, slot }));
    const offset = await this.#append([this.#record(fenceKey(writer), value, [])]);
    this.#reader.restart();
    await this.#reader.readTo(offset, UNUSABLE_MS);
    this.#writer = writer;
    this.#sequence = 0;
    return offset;
  }

  /** False: a record did not count, so the log must be fenced again. */
  async #clean(fence: bigint): Promise<boolean> {
    const old = this.#reader.view.keysBefore(fence);
    const living = [...this.#reader.view.living].map(([name, value]) => ({ name, value }));
    for (let at = 0; at < living.length; at += CHUNK) {
      const { records, sent } = this.#numbered(living.slice(at, at + CHUNK));
      await this.#reader.readTo(await this.#append(records), UNUSABLE_MS);
      if (!this.#reader.haveCounted(sent)) return this.#confirmed();
    }
    for (const keys of old) {
      for (let at = 0; at < keys.length; at += CHUNK) {
        await this.#append(keys.slice(at, at + CHUNK).map((key) => this.#record(key, null, [])));
      }
    }
    return true;
  }

  /** Another fence was seen. Rejects with SLOT_MOVED if no heartbeat is answered after it. */
  async #confirmed(): Promise<false> {
    this.#isDenied = !(await this.#options.confirm());
    if (this.#isDenied) throw moved();
    return false;
  }

  #record(key: string, value: Buffer | null, headers: BrokerRecord["headers"]): BrokerRecord {
    const { clock, slot } = this.#options;
    return { key: Buffer.from(key), value, headers, timestamp: clock.now(), partition: slot };
  }

  #numbered(records: readonly SlotRecord[]) {
    const first = this.#sequence + 1;
    this.#sequence += records.length;
    const sent = records.map((_, index) => recordId(this.#writer, first + index));
    this.#reader.await(sent);
    return {
      sent,
      records: records.map(({ name, value }, index) =>
        this.#record(recordKey(this.#writer, name), value, [sequenceHeader(first + index)]),
      ),
    };
  }

  /** Appends records that must all be stored, and returns the offset of the last one. */
  async #append(records: readonly BrokerRecord[]): Promise<bigint> {
    const outcomes = await this.#options.broker.append(this.#options.topic, records);
    let last = -1n;
    for (const outcome of outcomes) {
      if (outcome.status === "failed") throw new Trouble(outcome.error);
      if (outcome.offset > last) last = outcome.offset;
    }
    return last;
  }

  /** Answers the puts that were in flight when the log became stale: they count, or they never will. */
  #settleInFlight(): void {
    for (const { sent, resolve, reject } of this.#inFlight) {
      if (this.#reader.haveCounted(sent)) resolve();
      else reject(new GatewayError("BROKER_UNAVAILABLE"));
    }
    this.#inFlight = [];
    this.#reader.forget();
  }

  /** Appends what waits, one append at a time: the puts that come meanwhile wait for the next one. */
  #pump(): void {
    if (this.#state !== "open" || this.#inFlight.length > 0 || this.#waiting.length === 0) return;
    this.#inFlight = this.#waiting.splice(0);
    void this.#appendInFlight().then(
      (done) => {
        if (this.#state !== "open") return;
        if (done) this.#pump();
        else this.#becomeStale();
      },
      () => {
        if (this.#state === "open") this.#becomeStale();
      },
    );
  }

  #becomeStale(): void {
    this.#state = "closed";
    this.#onStale();
  }

  /** False, or a rejection: the log must be entered again before the puts in flight can be answered. */
  async #appendInFlight(): Promise<boolean> {
    const puts = this.#inFlight;
    const batch = this.#numbered(puts.flatMap(({ records }) => records));
    let at = 0;
    for (const put of puts) {
      put.sent = batch.sent.slice(at, at + put.records.length);
      at += put.records.length;
    }
    const outcomes = await this.#options.broker.append(this.#options.topic, batch.records);
    const refused = this.#rejectRefused(puts, outcomes);
    const offsets = outcomes.flatMap((outcome) => (outcome.status === "stored" ? [outcome.offset] : []));
    if (offsets.length + refused < outcomes.length) return false;
    await this.#reader.readTo(
      offsets.reduce((max, offset) => (offset > max ? offset : max), -1n),
      UNUSABLE_MS,
    );
    if (this.#state !== "open") return false;
    for (const put of this.#inFlight) if (this.#reader.haveCounted(put.sent)) put.resolve();
    this.#inFlight = this.#inFlight.filter(({ sent }) => !this.#reader.haveCounted(sent));
    if (this.#inFlight.length > 0) return this.#confirmed();
    this.#reader.forget();
    return !this.#reader.view.takeCopySeen();
  }

  /** Rejects the puts of which Kafka has refused a record for good. Returns the number of their refused records. */
  #rejectRefused(puts: readonly PendingPut[], outcomes: readonly AppendOutcome[]): number {
    let refused = 0;
    let at = 0;
    for (const put of puts) {
      const own = outcomes.slice(at, at + put.records.length);
      at += put.records.length;
      const errors = own.flatMap((outcome) => (outcome.status === "failed" ? [outcome.error] : []));
      const final = errors.filter(({ outcome }) => outcome === "refused");
      refused += final.length;
      if (final[0] === undefined) continue;
      put.reject(asGatewayError(final[0]));
      this.#inFlight = this.#inFlight.filter((one) => one !== put);
    }
    return refused;
  }
}
