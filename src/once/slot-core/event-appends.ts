/** Appends the events of groups whose intents are acknowledged, and makes outcomes of what Kafka answers. */
import { AGAIN_MS, type CoreContext, endIntent } from "./context.ts";
import type { Entry } from "./calls.ts";
import type { OpenIntent } from "./open-ids.ts";
import type { BatchResult, EventAppend } from "./port.ts";
import type { Queue } from "./queues.ts";
import type { Resolver } from "./resolver.ts";

export type OwnIntent = OpenIntent & { readonly entry: Entry };

export interface IntendedBatch {
  readonly queue: Queue;
  readonly intents: readonly OwnIntent[];
}

export class EventAppends {
  readonly #context: CoreContext;
  readonly #resolver: Resolver;
  readonly #inFlight = new Map<EventAppend, readonly IntendedBatch[]>();
  /** Appends that were not written. */
  #unsent: IntendedBatch[] = [];
  /** When they are tried again. */
  nextAt = Infinity;
  /** The second halves of batches that Kafka has refused. */
  readonly #later = new Map<Queue, IntendedBatch[]>();

  constructor(context: CoreContext, resolver: Resolver) {
    this.#context = context;
    this.#resolver = resolver;
  }

  get isEmpty(): boolean {
    return this.#inFlight.size === 0 && this.#unsent.length === 0;
  }

  /** True if an append has been handed over and has no result. */
  get isInFlight(): boolean {
    return this.#inFlight.size > 0;
  }

  send(batches: readonly IntendedBatch[]): void {
    const appends = new Map<string, IntendedBatch[]>();
    for (const batch of batches) {
      const wanted = this.#withoutEnded(batch);
      if (wanted === undefined) continue;
      const { topic, leader } = batch.queue;
      const name = `${leader}/${topic.id}/${topic.name}`;
      appends.set(name, [...(appends.get(name) ?? []), wanted]);
    }
    for (const together of appends.values()) this.#append(together);
  }

  #append(batches: readonly IntendedBatch[]): void {
    const [first] = batches;
    if (first === undefined) return;
    const append: EventAppend = {
      topic: first.queue.topic,
      batches: batches.map(({ queue: { partition }, intents }) => ({
        partition,
        events: intents.map(({ entry }) => entry.event),
      })),
    };
    for (const { intents } of batches) for (const { entry } of intents) entry.state = "appending";
    this.#inFlight.set(append, batches);
    this.#context.port.appendEvents(append);
  }

  /** Ends the events that were answered meanwhile; undefined: the batch has no other events. */
  #withoutEnded(batch: IntendedBatch): IntendedBatch | undefined {
    const { calls } = this.#context;
    const intents: OwnIntent[] = [];
    for (const intent of batch.intents) {
      const { entry } = intent;
      if (calls.isAnswered(entry) || entry.chain.hasFailed || entry.chain.unknown > 0)
        this.#notStored(intent);
      else intents.push(intent);
    }
    if (intents.length > 0) return { queue: batch.queue, intents };
    this.#next(batch.queue);
    return undefined;
  }

  #notStored(intent: OwnIntent): void {
    this.#context.calls.answer(intent.entry, { status: "unavailable" });
    this.#context.calls.end(intent.entry);
    endIntent(this.#context, intent, undefined);
  }

  /** One result for each batch. `writtenAt`: when the request was written, by the monotonic clock. */
  appended(append: EventAppend, results: readonly BatchResult[], writtenAt: number): void {
    const batches = this.#inFlight.get(append);
    if (!this.#inFlight.delete(append) || batches === undefined) return;
    batches.forEach((batch, index) => {
      this.#settle(batch, results[index] ?? { status: "unknown" }, writtenAt);
    });
  }

  #settle(batch: IntendedBatch, result: BatchResult, writtenAt: number): void {
    const { queue, intents } = batch;
    if (result.status === "unsent") {
      this.#putOff(batch);
      return;
    }
    if (result.status === "refused" && intents.length > 1) {
      const middle = Math.ceil(intents.length / 2);
      const half = { queue, intents: intents.slice(0, middle) };
      const rest = { queue, intents: intents.slice(middle) };
      this.#later.set(queue, [rest, ...(this.#later.get(queue) ?? [])]);
      for (const { entry } of rest.intents) entry.state = "intended";
      this.#append([half]);
      return;
    }
    if (result.status === "unknown" && result.isAnswered === true) {
      this.#lookFor(batch);
      return;
    }
    if (result.status === "stored") queue.end = result.offset + intents.length;
    intents.forEach((intent, index) => {
      this.#settleOne(intent, result, { index, writtenAt });
    });
    this.#next(queue);
  }

  #settleOne(
    intent: OwnIntent,
    result: Exclude<BatchResult, { readonly status: "unsent" }>,
    { index, writtenAt }: { readonly index: number; readonly writtenAt: number },
  ): void {
    const { calls, options } = this.#context;
    const { entry, partition } = intent;
    if (result.status === "unknown") {
      entry.chain.unknown += 1;
      this.#resolver.add(intent, writtenAt + options.deliveryTimeout);
      return;
    }
    if (result.status === "refused") calls.answer(entry, result);
    else {
      const { timestamp } = result;
      calls.answer(entry, {
        status: "stored",
        partition,
        offset: result.offset + index,
        timestamp,
        isDuplicate: false,
      });
    }
    calls.end(entry);
    endIntent(this.#context, intent, result.status === "stored" ? result.offset + index : undefined);
  }

  /** Nothing of the batch can be stored later than now: what a look does not find is appended again, as if it was not written. */
  #lookFor({ queue, intents }: IntendedBatch): void {
    const missing: OwnIntent[] = [];
    let open = intents.length;
    for (const intent of intents) {
      intent.entry.chain.unknown += 1;
      this.#resolver.add(intent, this.#context.port.monotonic(), (verdict) => {
        open -= 1;
        if (verdict === "missing") missing.push(intent);
        if (open > 0) return;
        if (missing.length > 0) this.#putOff({ queue, intents: missing });
        else this.#next(queue);
      });
    }
  }

  #putOff(batch: IntendedBatch): void {
    for (const { entry } of batch.intents) entry.state = "intended";
    this.#unsent.push(batch);
    this.nextAt = Math.min(this.nextAt, this.#context.port.monotonic() + AGAIN_MS);
  }

  /** The partition's append has its outcome. */
  #next(queue: Queue): void {
    const next = this.#later.get(queue)?.shift();
    if (next !== undefined) {
      this.send([next]);
      return;
    }
    this.#later.delete(queue);
    queue.isBusy = false;
  }

  /** Tries the appends again that were not written. Until check (b) holds again, the events stay as they are. */
  tick(time: number): void {
    if (time < this.nextAt) return;
    this.nextAt = this.#context.port.isFresh() ? Infinity : time + AGAIN_MS;
    if (this.nextAt === Infinity) this.send(this.#unsent.splice(0));
  }
}
