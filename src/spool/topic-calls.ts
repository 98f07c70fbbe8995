/** The calls of one topic in a worker: runs the state machine of the topic with the batcher and the folder. */
import type { AppendOutcome, BrokerRecord } from "../broker/broker.ts";
import { asGatewayError, GatewayError } from "../errors.ts";
import type { Clock } from "../lib/clock.ts";
import type { FromPod, ToPod } from "./messages.ts";
import { isRefusal } from "./refused.ts";
import type { NewEvent, Place, TopicWriter } from "./topic-writer.ts";
import { WorkerTopic } from "./worker-topic.ts";

export interface SpooledOutcome {
  readonly status: "spooled";
}

export type SpoolOutcome = AppendOutcome | SpooledOutcome;

/**
 * The part of the batcher that the spool needs. It is handed in, because the spool does not know the batcher. `Event` is an event
 * as the batcher takes it.
 */
export interface FirstAppend<Event = BrokerRecord> {
  watch(
    topic: string,
    events: readonly Event[],
    call: {
      readonly order?: object | undefined;
      readonly ended: (outcomes: readonly AppendOutcome[]) => void;
      readonly late: (from: number, outcomes: readonly AppendOutcome[]) => void;
    },
  ): void;
  withdraw(topic: string): void;
  /** The outcome of a record that is in flight. */
  readonly inFlight: AppendOutcome;
  /** The record that is written to the disk. Called only for events that go there. */
  toRecord(event: Event): BrokerRecord;
}

export interface TopicCallsOptions<Event> {
  readonly topic: string;
  readonly batcher: FirstAppend<Event>;
  readonly writer: TopicWriter;
  readonly clock: Clock;
  /** Milliseconds: `spool.after`. */
  readonly afterMs: number;
  /** Milliseconds after which a call whose events can't be written or answered fails. */
  readonly deadlineMs: number;
  readonly tell: (message: ToPod) => void;
  /** Called when events could not be written. */
  readonly onUnspooled: (error: GatewayError) => void;
}

interface Call<Event> {
  readonly events: readonly Event[];
  readonly order: object | undefined;
  readonly arrived: number;
  readonly resolve: (outcomes: readonly SpoolOutcome[]) => void;
  outcomes: SpoolOutcome[];
  readonly places: (Place | undefined)[];
  readonly late: (AppendOutcome | undefined)[];
  /** Ends the wait for the deadline. */
  stop: (() => void) | undefined;
}

/** Further calls have no effect. */
const settle = (call: Call<unknown>, outcomes: readonly SpoolOutcome[]): void => {
  call.stop?.();
  call.resolve(outcomes);
};

/** Milliseconds for which new events are held while the rest is drained. */
const HOLD_MS = 100;

const SPOOLED: SpooledOutcome = { status: "spooled" };

/** True: the event goes to the spool. */
const isForSpool = (outcome: SpoolOutcome | undefined): boolean =>
  outcome === undefined || (outcome.status === "failed" && !isRefusal(outcome.error));

export class TopicCalls<Event> {
  readonly #options: TopicCallsOptions<Event>;
  readonly #state: WorkerTopic<Call<Event>>;
  /** The calls that were sent and have no outcome, in order. */
  readonly #sent = new Set<Call<Event>>();
  #stopTimer: (() => void) | undefined;
  #stopHold: (() => void) | undefined;

  constructor(options: TopicCallsOptions<Event>) {
    this.#options = options;
    this.#state = new WorkerTopic<Call<Event>>({
      send: (call) => {
        this.#send(call);
      },
      write: (calls) => {
        this.#writeAll(calls);
      },
      answer: (call) => {
        settle(call, call.outcomes);
      },
      tell: options.tell,
      seal: () => {
        options.writer.seal();
      },
      startHoldTimer: () => {
        this.#stopHold?.();
        this.#stopHold = options.clock.after(HOLD_MS, () => {
          this.#state.onHeldLong();
        });
      },
    });
  }

  append(events: readonly Event[], order: object | undefined): Promise<readonly SpoolOutcome[]> {
    return new Promise((resolve) => {
      const arrived = performance.now();
      this.#state.onCall({
        events,
        order,
        arrived,
        resolve,
        outcomes: [],
        places: [],
        late: [],
        stop: undefined,
      });
    });
  }

  /** Events go to Kafka, and no write of them to the spool is in flight. */
  get isDirect(): boolean {
    return this.#state.state === "direct";
  }

  onMessage(message: FromPod): void {
    this.#state.onMessage(message);
  }

  async close(): Promise<void> {
    this.#stopTimer?.();
    this.#stopHold?.();
    await this.#options.writer.close();
  }

  #send(call: Call<Event>): void {
    const { batcher, topic } = this.#options;
    this.#sent.add(call);
    this.#watchAge();
    batcher.watch(topic, call.events, {
      order: call.order,
      ended: (outcomes) => {
        this.#onEnded(call, outcomes);
      },
      late: (from, outcomes) => {
        for (const [i, outcome] of outcomes.entries()) this.#onLate(call, from + i, outcome);
      },
    });
  }

  #onEnded(call: Call<Event>, outcomes: readonly AppendOutcome[]): void {
    this.#sent.delete(call);
    call.outcomes = [...outcomes];
    if (outcomes.some(isForSpool)) {
      // Not at once: the batcher is still giving the other calls of the append their outcomes.
      queueMicrotask(() => {
        this.#state.onTrouble();
      });
      return;
    }
    this.#state.onSent(call);
    call.resolve(outcomes);
  }

  #onLate(call: Call<Event>, index: number, outcome: AppendOutcome): void {
    if (call.outcomes[index] !== this.#options.batcher.inFlight && call.outcomes[index] !== SPOOLED) return;
    call.late[index] = outcome;
    if (outcome.status === "stored") call.outcomes[index] = outcome;
    call.places[index]?.settle(outcome.status === "stored");
  }

  /** Notices when the oldest call has waited for `afterMs`. */
  #watchAge(waitMs = this.#options.afterMs): void {
    if (this.#stopTimer !== undefined) return;
    this.#stopTimer = this.#options.clock.after(waitMs, () => {
      this.#stopTimer = undefined;
      const [oldest] = this.#sent;
      if (oldest === undefined) return;
      const left = oldest.arrived + this.#options.afterMs - performance.now();
      if (left < 1) this.#state.onTrouble();
      else this.#watchAge(Math.ceil(left));
    });
  }

  #writeAll(calls: readonly Call<Event>[]): void {
    this.#options.batcher.withdraw(this.#options.topic);
    for (const call of calls) void this.#write(call);
  }

  async #write(call: Call<Event>): Promise<void> {
    const { writer, batcher, clock, deadlineMs } = this.#options;
    const { outcomes } = call;
    call.stop = clock.after(deadlineMs, () => {
      settle(
        call,
        call.events.map((_, i) => this.#failure(call, i)),
      );
    });
    const indexes: number[] = [];
    const spooled: NewEvent[] = [];
    call.events.forEach((event, i) => {
      if (!isForSpool(outcomes[i])) return;
      indexes.push(i);
      spooled.push({ record: batcher.toRecord(event), isOpen: outcomes[i] === batcher.inFlight });
    });
    try {
      this.#onPlaced(call, indexes, await writer.append(spooled));
      this.#state.onWritten(call, true);
    } catch (thrown) {
      const error = asGatewayError(thrown);
      this.#options.onUnspooled(error);
      call.outcomes = call.events.map((_, i) => this.#failure(call, i, error));
      this.#state.onWritten(call, false);
      settle(call, call.outcomes);
    }
  }

  #onPlaced(call: Call<Event>, indexes: readonly number[], places: readonly Place[]): void {
    for (const [n, i] of indexes.entries()) {
      const late = call.late[i];
      call.places[i] = places[n];
      if (late !== undefined) places[n]?.settle(late.status === "stored");
      if (late?.status !== "stored") call.outcomes[i] = SPOOLED;
    }
  }

  /** The outcome of an event that is not in the folder, as far as the caller knows. */
  #failure(call: Call<Event>, index: number, error = new GatewayError("BROKER_AMBIGUOUS")): SpoolOutcome {
    const outcome = call.outcomes[index];
    if (outcome === undefined) return { status: "failed", error };
    if (outcome.status === "spooled")
      return { status: "failed", error: new GatewayError("BROKER_AMBIGUOUS") };
    return outcome;
  }
}
