/** Does the input and output that the state machine of a slot asks for. */
import { asGatewayError, type GatewayError } from "../errors.ts";
import type { Clock } from "../lib/clock.ts";
import { findMarked, marked } from "./marked-records.ts";
import type { OnceBroker, OnceLog } from "./once-log.ts";
import type { BatchResult, CoreCall, CoreOutcome, EventAppend, Look, SlotPort } from "./slot-core/port.ts";
import type { ReadRecord, SlotCore } from "./slot-core/slot-core.ts";
import type { SlotRecord, TopicRef } from "./slot-records.ts";
import type { Turn } from "./turn.ts";

export interface SlotRunnerOptions {
  readonly broker: OnceBroker;
  readonly clock: Clock;
  readonly turn: Turn;
  readonly log: OnceLog;
  readonly signal: AbortSignal;
  readonly isFresh: () => boolean;
  readonly requestTimeoutMs: number;
  readonly onAnswer: (call: CoreCall, outcomes: readonly CoreOutcome[] | "moved") => void;
  readonly onRelease: (call: CoreCall) => void;
  readonly onFenced: () => void;
  readonly onDrained: () => void;
  /** Called with the number of ids that a look has decided. */
  readonly onResolved: (outcome: "found" | "missing", count: number) => void;
  /** A fault from which the slot recovers by itself. */
  readonly onError: (error: GatewayError) => void;
}

/** Maximum time of one look; the next one begins again. */
const LOOK_MS = 30_000;

export class SlotRunner implements SlotPort {
  readonly #options: SlotRunnerOptions;
  readonly #core: () => SlotCore;
  #cancelWake = (): void => undefined;
  /** When the core wants to be woken, and when the timer ends: never later. */
  #wakeAt = Infinity;
  #timerAt = Infinity;
  #isOver = false;

  constructor(options: SlotRunnerOptions, core: () => SlotCore) {
    this.#options = options;
    this.#core = core;
  }

  now(): number {
    return this.#options.clock.now();
  }

  monotonic(): number {
    return this.#options.clock.monotonic();
  }

  isFresh(): boolean {
    return this.#options.isFresh();
  }

  wakeAt(time: number): void {
    this.#wakeAt = time;
    if (time < this.#timerAt) this.#setTimer(time);
  }

  #setTimer(time: number): void {
    this.#cancelWake();
    this.#timerAt = time;
    this.#cancelWake = this.#options.clock.after(Math.max(0, time - this.monotonic()), () => {
      this.#timerAt = Infinity;
      if (this.#wakeAt <= this.monotonic())
        this.#options.turn.input(() => {
          this.#core().tick();
        });
      else if (this.#wakeAt < Infinity) this.#setTimer(this.#wakeAt);
    });
  }

  appendToSlot(records: readonly SlotRecord[]): void {
    void this.#options.log
      .append(records, () => !this.#isOver)
      .catch(this.#failed)
      .then((stored) => {
        this.#options.turn.acknowledged(() => {
          if (typeof stored === "object") this.#core().slotStored(stored.base, stored.timestamp);
          else this.#core().slotFailed(stored === "unsent");
        });
      });
  }

  readSlot(from: number, to: number): void {
    const records: ReadRecord[] = [];
    void this.#options.log
      .read(from, to, (read) => records.push(read))
      .then(() => records, this.#failed)
      .then((read) => {
        this.#core().slotRead(read);
      });
  }

  askEnd(topic: TopicRef, partition: number): void {
    void this.#endOf(topic, partition)
      .catch(this.#failed)
      .then((end) => {
        this.#core().endKnown(topic, partition, end);
      });
  }

  /** The end that clients see: a record beyond it may be lost with the leader, and then an event gets its offset. */
  async #endOf({ name }: TopicRef, partition: number): Promise<number | undefined> {
    const { broker } = this.#options;
    // Waits until the leader of a new topic leads.
    await broker.leaderEnd(name, partition);
    const high = (await broker.watermarks(name)).find((one) => one.partition === partition)?.high;
    return high === undefined ? undefined : Number(high);
  }

  appendEvents(append: EventAppend): void {
    const { broker, requestTimeoutMs: timeoutMs } = this.#options;
    let writtenAt = this.monotonic();
    const mayWrite = (): boolean => {
      writtenAt = this.monotonic();
      return !this.#isOver && this.isFresh();
    };
    const batches = append.batches.map(({ partition, events }) => ({
      partition,
      records: events.map(marked),
    }));
    void broker.appendOnce(append.topic.name, batches, { mayWrite, timeoutMs }).then((results) => {
      const now = this.now();
      const batchResults = results.map((result): BatchResult =>
        result.status === "stored"
          ? { status: "stored", offset: Number(result.baseOffset), timestamp: result.timestamp ?? now }
          : result,
      );
      this.#options.turn.input(() => {
        this.#core().appended(append, batchResults, writtenAt);
      });
    });
  }

  look(look: Look): void {
    const { broker, signal } = this.#options;
    const until = this.monotonic() + LOOK_MS;
    void findMarked(broker, look, { signal, isOver: () => this.#isOver || this.monotonic() > until })
      .catch(this.#failed)
      .then((found) => {
        const { onResolved } = this.#options;
        const before = { ...this.#core().resolved };
        this.#core().looked(look, found);
        const after = this.#core().resolved;
        for (const outcome of ["found", "missing"] as const)
          if (after[outcome] > before[outcome]) onResolved(outcome, after[outcome] - before[outcome]);
      });
  }

  answer(call: CoreCall, outcomes: readonly CoreOutcome[] | "moved"): void {
    this.#options.onAnswer(call, outcomes);
  }

  release(call: CoreCall): void {
    this.#options.onRelease(call);
  }

  fenced(): void {
    this.end();
    this.#options.onFenced();
  }

  drained(): void {
    this.end();
    this.#options.onDrained();
  }

  /** Writes nothing more. */
  end(): void {
    this.#isOver = true;
    this.#wakeAt = Infinity;
    this.#cancelWake();
  }

  readonly #failed = (error: unknown): undefined => {
    if (!this.#isOver) this.#options.onError(asGatewayError(error));
  };
}
