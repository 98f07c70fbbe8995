/**
 * One slot in one process: a synchronous state machine without a clock and without input or output of its own. Decision 7
 * (`docs/decisions/0007-once.md`) has the protocol; `tests/once/model.test.ts` checks this code with random schedules.
 *
 * First `apply` gets the records of the slot up to the home's own fence, then `start` begins to serve.
 */
import { SlotIds } from "../slot-ids.ts";
import type { IntentEntry, SlotRecord, TopicRef, Writer } from "../slot-records.ts";
import { Calls, nameOf } from "./calls.ts";
import type { CoreContext, CoreOptions } from "./context.ts";
import { EventAppends } from "./event-appends.ts";
import { Groups } from "./groups.ts";
import { Judge } from "./judge.ts";
import { OpenIds, type OpenIntent } from "./open-ids.ts";
import type { BatchResult, CoreCall, EventAppend, Look, SlotPort } from "./port.ts";
import { Queues } from "./queues.ts";
import { Resolver } from "./resolver.ts";
import { Settled } from "./settled.ts";

/** A record of the slot as it was read. */
export interface ReadRecord {
  readonly offset: number;
  /** The broker's time of the record. */
  readonly timestamp: number;
  readonly record: SlotRecord;
}

export class SlotCore {
  readonly #options: CoreOptions;
  readonly #port: SlotPort;
  readonly #ids: SlotIds;
  readonly #context: CoreContext;
  readonly #queues: Queues;
  readonly #appends: EventAppends;
  readonly #groups: Groups;
  readonly #resolver: Resolver;
  readonly #judge: Judge;
  #state: "reading" | "serving" | "draining" | "ended" = "reading";
  #idsSoFar = 0;
  /** While it drains: when no late append can arrive any more. */
  #drainedAt = Infinity;
  /** The broker's clock minus the clock of this process, at the last acknowledgement. */
  #skew = 0;

  constructor(options: CoreOptions, port: SlotPort) {
    this.#options = options;
    this.#port = port;
    this.#ids = new SlotIds(options.share);
    this.#context = {
      options,
      port,
      calls: new Calls(port),
      open: new OpenIds(this.#ids, () => this.#brokerNow()),
      settled: new Settled(port),
    };
    this.#queues = new Queues(this.#context);
    this.#judge = new Judge({ ...this.#context, queues: this.#queues, brokerNow: () => this.#brokerNow() });
    this.#resolver = new Resolver(this.#context);
    this.#appends = new EventAppends(this.#context, this.#resolver);
    this.#groups = new Groups({ context: this.#context, queues: this.#queues, appends: this.#appends });
  }

  get ids(): SlotIds {
    return this.#ids;
  }

  get openIds(): number {
    return this.#context.open.size;
  }

  /** Counts of all looks. */
  get resolved(): { readonly found: number; readonly missing: number } {
    return this.#resolver.resolved;
  }

  /**
   * By the monotonic clock: until then an append of this process can arrive that has no known outcome. The next core that this
   * process has for the slot needs it, and no other process may get the slot earlier.
   */
  get mayArriveUntil(): number {
    const { resolveFrom, deliveryTimeout } = this.#options;
    const inFlight = this.#appends.isInFlight ? this.#port.monotonic() + deliveryTimeout : -Infinity;
    return Math.max(resolveFrom, inFlight, this.#resolver.mayArriveUntil);
  }

  /** A record of the slot, before `start`. */
  apply(read: ReadRecord): void {
    this.#apply(read, undefined);
  }

  /** The home serves the slot. `end`: the offset behind its fence. `timestamp`: the broker's time of the fence. */
  start(end: number, timestamp: number): void {
    this.#state = "serving";
    this.#skew = timestamp - this.#port.now();
    this.#groups.begin(end, this.#idsSoFar);
    for (const intent of this.#context.open.intents()) this.#resolver.add(intent, this.#options.resolveFrom);
    this.#run();
  }

  offer(call: CoreCall): void {
    if (this.#state !== "serving") {
      this.#port.answer(call, "moved");
      this.#port.release(call);
      return;
    }
    this.#judge.admit(this.#context.calls.add(call));
    this.#run();
  }

  slotStored(base: number, timestamp: number): void {
    if (this.#state === "ended") return;
    this.#skew = timestamp - this.#port.now();
    if (this.#groups.slotStored(base, timestamp)) this.#run();
    else this.#lose();
  }

  slotFailed(isUnsent: boolean): void {
    if (this.#state === "ended") return;
    this.#groups.slotFailed(isUnsent);
    // The next home finds these outcomes by itself.
    if (this.#state === "draining") this.#context.settled.take(this.#options.writer, 0);
    this.#run();
  }

  /** undefined: the records could not be read. */
  slotRead(records: readonly ReadRecord[] | undefined): void {
    if (this.#state === "ended") return;
    for (const read of records ?? []) {
      if (read.record.type === "fence" && this.#isOfNextHome(read.record.writer)) {
        this.#lose();
        return;
      }
      this.#apply(read, this.#port.monotonic());
    }
    this.#groups.slotRead(records !== undefined);
    this.#run();
  }

  endKnown(topic: TopicRef, partition: number, end: number | undefined): void {
    if (this.#state === "ended") return;
    this.#queues.endKnown(topic, partition, end);
    this.#run();
  }

  appended(append: EventAppend, results: readonly BatchResult[], writtenAt: number): void {
    if (this.#state === "ended") return;
    this.#appends.appended(append, results, writtenAt);
    this.#run();
  }

  looked(look: Look, found: ReadonlyMap<string, readonly number[]> | undefined): void {
    if (this.#state === "ended") return;
    this.#resolver.looked(look, found);
    this.#run();
  }

  tick(): void {
    if (this.#state !== "ended") this.#run();
  }

  /** Finishes what is on its way, then calls `drained`. Calls whose events have no intents get `moved`. */
  drain(): void {
    if (this.#state !== "serving") return;
    this.#state = "draining";
    this.#context.calls.move(new Set(["judging", "queued"]));
    this.#run();
  }

  /** The slot is lost: nothing more is appended, and every unanswered call gets `moved`. */
  close(): void {
    if (this.#state === "ended") return;
    this.#state = "ended";
    this.#context.calls.move(new Set(["judging", "queued", "intended", "appending"]));
    this.#context.calls.releaseAll();
  }

  /** A fence of this process that arrives late is of no home. */
  #isOfNextHome({ process, tenure }: Writer): boolean {
    const { writer } = this.#options;
    return process !== writer.process || tenure > writer.tenure;
  }

  #lose(): void {
    this.close();
    this.#port.fenced();
  }

  #brokerNow(): number {
    return this.#port.now() + this.#skew;
  }

  #run(): void {
    const time = this.#port.monotonic();
    this.#context.calls.expire(time);
    this.#resolver.tick(time);
    this.#appends.tick(time);
    this.#groups.pump(time);
    this.#endIfDrained();
    const { calls } = this.#context;
    const parts = [calls, this.#resolver, this.#appends, this.#groups];
    const nextAt = Math.min(...parts.map((part) => part.nextAt), this.#drainedAt);
    this.#port.wakeAt(this.#state === "ended" ? Infinity : nextAt);
  }

  #endIfDrained(): void {
    this.#drainedAt = Infinity;
    if (this.#state !== "draining" || !this.#groups.isEmpty || !this.#appends.isEmpty) return;
    if (this.#context.settled.size > 0) return;
    this.#drainedAt = this.mayArriveUntil;
    if (this.#drainedAt > this.#port.monotonic()) return;
    this.close();
    this.#port.drained();
  }

  /** `time`: undefined before `start`. */
  #apply({ offset, timestamp, record }: ReadRecord, time: number | undefined): void {
    const { open, settled } = this.#context;
    const { writer } = this.#options;
    this.#idsSoFar = Math.max(this.#idsSoFar, record.ids + ("entries" in record ? record.entries.length : 0));
    this.#groups.noteIds(this.#idsSoFar);
    if (record.type === "done") {
      for (const entry of record.entries) this.#forget(open.applyDone(entry));
    } else if (record.type === "gone") {
      for (const entry of record.entries) this.#forget(open.applyGone(entry));
    } else if (record.type === "intent") {
      const isOwn = record.writer.process === writer.process && record.writer.tenure === writer.tenure;
      for (const entry of record.entries) {
        // An append of this home whose acknowledgement never came: no event followed.
        if (isOwn && time !== undefined) settled.gone({ digest: entry.digest, intent: offset });
        else this.#open(openIntentOf(entry, offset, timestamp), time);
      }
    }
  }

  #open(intent: OpenIntent, time: number | undefined): void {
    if (intent.began + intent.window <= this.#brokerNow()) return;
    this.#context.open.add(intent);
    if (time !== undefined) this.#resolver.add(intent, Math.max(time, this.#options.resolveFrom));
  }

  #forget(intent: OpenIntent | undefined): void {
    if (intent !== undefined) this.#resolver.forget(intent);
  }
}

/** Lists the members: a home reads a million of them at a start, and a spread takes most of that time. */
const openIntentOf = (intent: IntentEntry, record: number, began: number): OpenIntent => {
  const { digest, kind, window, payload, topic, partition, from, request } = intent;
  const name = nameOf(digest);
  return {
    digest,
    kind,
    window,
    payload,
    topic,
    partition,
    from,
    request,
    name,
    record,
    began,
    entry: undefined,
  };
};
