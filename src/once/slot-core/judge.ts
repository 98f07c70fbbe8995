/** Decides what happens to each event of a call: a duplicate, an event that waits for an open id, or a new event. */
import { type CallState, type Chain, type Entry, payloadOf } from "./calls.ts";
import type { CoreContext } from "./context.ts";
import type { Queues } from "./queues.ts";

interface JudgeOptions extends Pick<CoreContext, "calls" | "open"> {
  readonly queues: Queues;
  /** The broker's clock. */
  readonly brokerNow: () => number;
}

/** Milliseconds for which a repeat with the same request number gets "stored" instead of "duplicate", from the id's intent on. */
const SAME_REQUEST_MS = 60_000;

export class Judge {
  readonly #options: JudgeOptions;

  constructor(options: JudgeOptions) {
    this.#options = options;
  }

  /** Judges the events of a call. Of a call with a payload all events wait for an id that may belong to another payload. */
  admit(call: CallState): void {
    if (call.unanswered === 0) return;
    const waitsFor = call.entries.find((entry) => this.#hasOtherIntent(entry));
    if (call.entries.some((entry) => this.#isReused(entry))) {
      for (const entry of call.entries) this.#options.calls.answer(entry, { status: "reused" });
    } else if (waitsFor !== undefined) {
      this.#options.open.wait(waitsFor.name, {
        resume: () => {
          this.admit(call);
        },
      });
    } else for (const { chain } of call.entries) this.#advance(chain);
  }

  #isReused({ event }: Entry): boolean {
    const payload = payloadOf(event);
    if (payload === undefined) return false;
    const stored = this.#options.open.done(event.id.kind, event.id.digest);
    return stored?.payload !== undefined && !stored.payload.equals(payload);
  }

  #hasOtherIntent({ event, name }: Entry): boolean {
    const payload = payloadOf(event);
    if (payload === undefined) return false;
    const { open } = this.#options;
    const holder = open.holderOf(name);
    const held = holder === undefined ? undefined : payloadOf(holder.event);
    return (
      (held !== undefined && !held.equals(payload)) ||
      open.intentsOf(name).some((intent) => intent.payload !== undefined && !intent.payload.equals(payload))
    );
  }

  /** Judges the events of a chain in order, until one waits. */
  #advance(chain: Chain): void {
    const { calls } = this.#options;
    for (let entry = chain.entries[chain.next]; entry !== undefined; entry = chain.entries[chain.next]) {
      // Judging an event can wake this chain again.
      chain.next += 1;
      if (calls.isAnswered(entry)) continue;
      if (chain.hasFailed) calls.answer(entry, { status: "unavailable" });
      else if (!this.#judge(entry)) {
        chain.next -= 1;
        return;
      }
    }
  }

  /** False: the event waits for an open id. */
  #judge(entry: Entry): boolean {
    const { calls, open } = this.#options;
    const { event, name, call, isRepeated } = entry;
    const stored = open.done(event.id.kind, event.id.digest);
    if (stored !== undefined) {
      const { partition, offset, began, request } = stored;
      const isSame = request === call.call.request && this.#options.brokerNow() - began < SAME_REQUEST_MS;
      const isDuplicate = isRepeated || !isSame;
      calls.answer(entry, { status: "stored", partition, offset, timestamp: began, isDuplicate });
      return true;
    }
    if (!open.isOpen(name)) {
      this.#options.queues.join(entry);
      return true;
    }
    const { leaders } = call.call.topic;
    if (open.intentsOf(name).some(({ partition }) => leaders[partition] === undefined)) {
      calls.answer(entry, { status: "leaderless" });
      return true;
    }
    open.wait(name, {
      resume: () => {
        this.#advance(entry.chain);
      },
    });
    return false;
  }
}
