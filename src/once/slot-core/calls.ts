/** The events of the calls that a slot works on, and the order of the events of one key in a call. */
import { PAYLOAD_BYTES } from "../id-table.ts";
import type { CoreCall, CoreEvent, CoreOutcome, SlotPort } from "./port.ts";

/** The events of a call with the same key, in order. Events without a key have a chain each. */
export interface Chain {
  entries: Entry[];
  /** The number of entries that have been judged. */
  next: number;
  /** An event ended without an outcome, so no later event may be appended. */
  hasFailed: boolean;
  /** Events whose append has no known outcome. */
  unknown: number;
}

export interface Entry {
  readonly call: CallState;
  readonly index: number;
  readonly event: CoreEvent;
  /** The digest, as `nameOf` writes it. */
  readonly name: string;
  readonly chain: Chain;
  /** The same id comes earlier in the call. */
  readonly isRepeated: boolean;
  /** `judging`: also while it waits for an open id. `intended`: its intent is written or being written, but not its event. */
  state: "judging" | "queued" | "intended" | "appending" | "ended";
}

export interface CallState {
  readonly call: CoreCall;
  readonly entries: readonly Entry[];
  readonly outcomes: (CoreOutcome | undefined)[];
  unanswered: number;
  /** Entries in the states `queued`, `intended` and `appending`. */
  held: number;
}

/** A digest as latin1 text: the key of maps and sets. */
export const nameOf = (digest: Buffer): string => digest.toString("latin1");

export const payloadOf = ({ id }: CoreEvent): Buffer | undefined => id.payload?.subarray(0, PAYLOAD_BYTES);

const WITHOUT_OUTCOME: ReadonlySet<CoreOutcome["status"]> = new Set([
  "unavailable",
  "unresolved",
  "leaderless",
]);

export class Calls {
  readonly #port: SlotPort;
  readonly #open = new Set<CallState>();
  /** When the time of the next call can be over. */
  nextAt = Infinity;

  constructor(port: SlotPort) {
    this.#port = port;
  }

  add(call: CoreCall): CallState {
    const entries: Entry[] = [];
    const state: CallState = {
      call,
      entries,
      outcomes: new Array<CoreOutcome | undefined>(call.events.length),
      unanswered: call.events.length,
      held: 0,
    };
    const chains = new Map<string, Chain>();
    const names = new Set<string>();
    for (const event of call.events) {
      const chain = chainOf(chains, event.record.key);
      const name = nameOf(event.id.digest);
      const isRepeated = names.size > 0 && names.has(name);
      names.add(name);
      const index = entries.length;
      const entry: Entry = { call: state, index, event, name, chain, isRepeated, state: "judging" };
      entries.push(entry);
      if (chain.entries.length === 0) chain.entries = [entry];
      else chain.entries.push(entry);
    }
    this.#open.add(state);
    this.nextAt = Math.min(this.nextAt, call.until);
    return state;
  }

  isAnswered({ call, index }: Entry): boolean {
    return call.outcomes[index] !== undefined;
  }

  answer(entry: Entry, outcome: CoreOutcome): void {
    const { call, index, chain } = entry;
    if (call.outcomes[index] !== undefined) return;
    call.outcomes[index] = outcome;
    call.unanswered -= 1;
    if (WITHOUT_OUTCOME.has(outcome.status)) chain.hasFailed = true;
    if (call.unanswered > 0) return;
    this.#port.answer(call.call, call.outcomes as readonly CoreOutcome[]);
    this.#releaseIfOver(call);
  }

  /** The entry is in use until `end`. */
  hold(entry: Entry): void {
    entry.state = "queued";
    entry.call.held += 1;
  }

  end(entry: Entry): void {
    if (entry.state === "judging" || entry.state === "ended") return;
    entry.state = "ended";
    entry.call.held -= 1;
    this.#releaseIfOver(entry.call);
  }

  /** Answers the calls whose time is over. */
  expire(time: number): void {
    if (time < this.nextAt) return;
    this.nextAt = Infinity;
    for (const state of [...this.#open]) {
      if (state.unanswered === 0) continue;
      if (state.call.until > time) this.nextAt = Math.min(this.nextAt, state.call.until);
      else for (const entry of state.entries) this.answer(entry, { status: late(entry) });
    }
  }

  /** Answers `moved` to the unanswered calls of which an unanswered event is in one of these states. */
  move(states: ReadonlySet<Entry["state"]>): void {
    for (const state of [...this.#open]) {
      if (!state.entries.some((entry) => !this.isAnswered(entry) && states.has(entry.state))) continue;
      state.unanswered = 0;
      for (const { index, chain } of state.entries) {
        state.outcomes[index] ??= { status: "unresolved" };
        chain.hasFailed = true;
      }
      this.#port.answer(state.call, "moved");
      this.#releaseIfOver(state);
    }
  }

  /** Nothing is in use any more. */
  releaseAll(): void {
    for (const state of this.#open) this.#port.release(state.call);
    this.#open.clear();
  }

  #releaseIfOver(state: CallState): void {
    if (state.unanswered > 0 || state.held > 0 || !this.#open.delete(state)) return;
    this.#port.release(state.call);
  }
}

/** Of an event that was not answered in time. */
const late = ({ state }: Entry): "unavailable" | "unresolved" =>
  state === "queued" || state === "intended" ? "unavailable" : "unresolved";

/** Entries are put into another list: an empty list that grows takes memory for 17 entries. */
const NONE: never[] = [];

const newChain = (): Chain => ({ entries: NONE, next: 0, hasFailed: false, unknown: 0 });

const chainOf = (chains: Map<string, Chain>, key: Buffer | null): Chain => {
  if (key === null) return newChain();
  const name = key.toString("latin1");
  const known = chains.get(name) ?? newChain();
  chains.set(name, known);
  return known;
};
