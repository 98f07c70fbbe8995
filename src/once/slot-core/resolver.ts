/** Looks into the partitions for the events of open intents whose outcome no append tells. */
import type { TopicRef } from "../slot-records.ts";
import { type CoreContext, endIntent, partitionName } from "./context.ts";
import type { OpenIntent } from "./open-ids.ts";
import type { Look } from "./port.ts";

/** Milliseconds after a look that failed. */
const AGAIN_MS = 1000;

/** What the look has shown: `found` ends the intent, `missing` leaves that to the caller, `unclear`: the look failed. */
export type Verdict = "found" | "missing" | "unclear";

interface Wanted {
  /** The time from which it can be looked for. */
  readonly at: number;
  /** Gets the verdict of the first look, or `found` if the intent has ended otherwise. */
  readonly decided: ((verdict: Verdict) => void) | undefined;
}

interface Unresolved {
  readonly topic: TopicRef;
  readonly partition: number;
  readonly intents: Map<OpenIntent, Wanted>;
  looking: { readonly look: Look; readonly intents: readonly OpenIntent[] } | undefined;
}

export class Resolver {
  readonly #context: CoreContext;
  readonly #partitions = new Map<string, Unresolved>();
  /** When the next look can be due. */
  nextAt = Infinity;
  resolved = { found: 0, missing: 0 };

  constructor(context: CoreContext) {
    this.#context = context;
  }

  /** The time until which an append of this home without a known outcome can arrive; -Infinity: every append has an outcome. */
  get mayArriveUntil(): number {
    let until = -Infinity;
    for (const { intents } of this.#partitions.values())
      for (const [{ entry }, { at }] of intents) if (entry !== undefined) until = Math.max(until, at);
    return until;
  }

  /**
   * Looks for the intent's event, but not before this time of the monotonic clock. Without `decided` a missing event ends the
   * intent.
   */
  add(intent: OpenIntent, at: number, decided?: Wanted["decided"]): void {
    const { topic, partition } = intent;
    const name = partitionName(topic, partition);
    const known = this.#partitions.get(name) ?? { topic, partition, intents: new Map(), looking: undefined };
    this.#partitions.set(name, known);
    known.intents.set(intent, { at, decided });
    this.#wakeAt(at);
  }

  /** The intent has ended otherwise. */
  forget(intent: OpenIntent): void {
    const intents = this.#partitions.get(partitionName(intent.topic, intent.partition))?.intents;
    const decided = intents?.get(intent)?.decided;
    intents?.delete(intent);
    decided?.("found");
  }

  /** Begins the looks that are due. */
  tick(time: number): void {
    if (time < this.nextAt) return;
    this.nextAt = Infinity;
    for (const [name, unresolved] of this.#partitions) {
      if (unresolved.looking !== undefined) continue;
      if (unresolved.intents.size === 0) this.#partitions.delete(name);
      else this.#look(unresolved, time);
    }
  }

  #look(unresolved: Unresolved, time: number): void {
    const { topic, partition } = unresolved;
    const intents: OpenIntent[] = [];
    for (const [intent, { at }] of unresolved.intents) {
      if (at <= time) intents.push(intent);
      else this.#wakeAt(at);
    }
    if (intents.length === 0) return;
    const from = intents.reduce((least, intent) => Math.min(least, intent.from), Infinity);
    const look: Look = { topic, partition, from, names: new Set(intents.map(({ name }) => name)) };
    unresolved.looking = { look, intents };
    this.#context.port.look(look);
  }

  /** `found`: the offsets of the marked records of each name, in order; undefined: the end of the log was not reached. */
  looked(look: Look, found: ReadonlyMap<string, readonly number[]> | undefined): void {
    const unresolved = this.#partitions.get(partitionName(look.topic, look.partition));
    if (unresolved?.looking?.look !== look) return;
    const { intents } = unresolved.looking;
    unresolved.looking = undefined;
    const time = this.#context.port.monotonic();
    for (const intent of intents) {
      const wanted = unresolved.intents.get(intent);
      if (wanted === undefined) continue;
      if (found === undefined) {
        unresolved.intents.set(intent, { at: time + AGAIN_MS, decided: undefined });
        wanted.decided?.("unclear");
      } else {
        unresolved.intents.delete(intent);
        this.#decide(intent, wanted, found.get(intent.name));
      }
    }
    if (unresolved.intents.size > 0) this.#wakeAt(found === undefined ? time + AGAIN_MS : time);
  }

  /** `offsets`: those of the marked records of the intent's name. */
  #decide(intent: OpenIntent, { decided }: Wanted, offsets: readonly number[] = []): void {
    const offset = offsets.find((place) => place >= intent.from);
    this.resolved[offset === undefined ? "missing" : "found"] += 1;
    if (intent.entry !== undefined) intent.entry.chain.unknown -= 1;
    if (offset !== undefined || decided === undefined) this.#end(intent, offset);
    decided?.(offset === undefined ? "missing" : "found");
  }

  #end(intent: OpenIntent, offset: number | undefined): void {
    const { calls } = this.#context;
    const { entry, partition, began } = intent;
    if (entry !== undefined) {
      if (offset === undefined) calls.answer(entry, { status: "unavailable" });
      else calls.answer(entry, { status: "stored", partition, offset, timestamp: began, isDuplicate: false });
      calls.end(entry);
    }
    endIntent(this.#context, intent, offset);
  }

  #wakeAt(time: number): void {
    this.nextAt = Math.min(this.nextAt, time);
  }
}
