/**
 * What a slot knows of its ids: the done ones in a table, the open ones here. An id can have several intents, of several
 * requests or homes; each ends by itself. An id is done if one of its intents inside the window is done, otherwise it is open
 * if one of them is open.
 */
import type { SlotIds, IdKind } from "../slot-ids.ts";
import type { StoredId } from "../id-table.ts";
import type { DoneEntry, GoneEntry, IntentEntry } from "../slot-records.ts";
import { type Entry, nameOf } from "./calls.ts";

export interface OpenIntent extends IntentEntry {
  readonly name: string;
  /** The offset of its record in the slot. Of an own intent it is known when the intent is acknowledged, as is `began`. */
  record: number;
  /** The broker's time of that record. */
  began: number;
  /** The event of this home that it belongs to; undefined: it was read from the slot. */
  readonly entry: Entry | undefined;
}

/** Something that waits for an open id. */
export interface Waiter {
  resume(): void;
}

interface OpenId {
  /** The event that will have the next intent. */
  holder: Entry | undefined;
  intents: OpenIntent[];
  waiters: Waiter[];
}

/** Most ids have one intent at most, and nobody waits for them. Nothing is put into this list. */
const NONE: never[] = [];

const without = (intents: OpenIntent[], ended: OpenIntent): OpenIntent[] =>
  intents.length === 1 && intents[0] === ended ? NONE : intents.filter((intent) => intent !== ended);

/** Gone intents that are remembered, because a *done* of another home can follow. */
const MAX_GONE = 10_000;

export class OpenIds {
  readonly #ids: SlotIds;
  readonly #open = new Map<string, OpenId>();
  readonly #gone = new Map<string, OpenIntent>();
  readonly #brokerNow: () => number;

  constructor(ids: SlotIds, brokerNow: () => number) {
    this.#ids = ids;
    this.#brokerNow = brokerNow;
  }

  /** The number of open ids. */
  get size(): number {
    return this.#open.size;
  }

  *intents(): Generator<OpenIntent> {
    for (const { intents } of this.#open.values()) yield* intents;
  }

  done(kind: IdKind, digest: Buffer): StoredId | undefined {
    return this.#ids.get(kind, digest, this.#brokerNow());
  }

  isOpen(name: string): boolean {
    const id = this.#open.get(name);
    return id !== undefined && (id.holder !== undefined || this.#current(id).length > 0);
  }

  /** The intents whose windows are not past. */
  intentsOf(name: string): readonly OpenIntent[] {
    const id = this.#open.get(name);
    return id === undefined ? NONE : this.#current(id);
  }

  #current({ intents }: OpenId): readonly OpenIntent[] {
    const now = this.#brokerNow();
    return intents.filter(({ began, window }) => began + window > now);
  }

  holderOf(name: string): Entry | undefined {
    return this.#open.get(name)?.holder;
  }

  reserve(entry: Entry): void {
    this.#get(entry.name).holder = entry;
  }

  /** The event has no intent, and won't have one. */
  unreserve(entry: Entry): void {
    const id = this.#open.get(entry.name);
    if (id?.holder !== entry) return;
    id.holder = undefined;
    this.#wake(entry.name, id);
  }

  wait(name: string, waiter: Waiter): void {
    const id = this.#get(name);
    if (id.waiters.length === 0) id.waiters = [waiter];
    else id.waiters.push(waiter);
  }

  add(intent: OpenIntent): void {
    const id = this.#get(intent.name);
    if (id.intents.length === 0) id.intents = [intent];
    else id.intents.push(intent);
    if (intent.entry !== undefined && id.holder === intent.entry) id.holder = undefined;
  }

  /** False: the intent has ended already. */
  has(intent: OpenIntent): boolean {
    return this.#open.get(intent.name)?.intents.includes(intent) === true;
  }

  end(intent: OpenIntent, offset: number | undefined): void {
    const id = this.#open.get(intent.name);
    if (id !== undefined) id.intents = without(id.intents, intent);
    if (offset === undefined) this.#rememberGone(intent);
    else this.#store(intent, offset);
    if (id !== undefined) this.#wake(intent.name, id);
  }

  /** A record of the slot. Returns the open intent that it has ended. */
  applyDone({ digest, intent, offset }: DoneEntry): OpenIntent | undefined {
    const name = nameOf(digest);
    const open = this.#find(name, intent);
    if (open !== undefined) {
      this.end(open, offset);
      return open;
    }
    const gone = this.#gone.get(`${name}${intent}`);
    if (gone !== undefined) this.#store(gone, offset);
    return undefined;
  }

  /** As `applyDone`. */
  applyGone({ digest, intent }: GoneEntry): OpenIntent | undefined {
    const open = this.#find(nameOf(digest), intent);
    if (open !== undefined) this.end(open, undefined);
    return open;
  }

  /** An intent of this home is not ended by a record: its append or a look tells the outcome. */
  #find(name: string, record: number): OpenIntent | undefined {
    for (const intent of this.#open.get(name)?.intents ?? NONE)
      if (intent.record === record && intent.entry === undefined) return intent;
    return undefined;
  }

  #get(name: string): OpenId {
    const known = this.#open.get(name);
    if (known !== undefined) return known;
    const id: OpenId = { holder: undefined, intents: NONE, waiters: NONE };
    this.#open.set(name, id);
    return id;
  }

  #store(intent: OpenIntent, offset: number): void {
    const { kind, digest, partition, began, window, request, payload } = intent;
    const now = this.#brokerNow();
    const ends = began + window;
    // An event whose id the table has is a copy that was stored too late to be found.
    if (ends > now) this.#ids.put(kind, digest, { partition, offset, began, ends, request, payload }, now);
  }

  #rememberGone(intent: OpenIntent): void {
    this.#gone.set(`${intent.name}${intent.record}`, intent);
    if (this.#gone.size <= MAX_GONE) return;
    for (const oldest of this.#gone.keys()) {
      this.#gone.delete(oldest);
      return;
    }
  }

  #wake(name: string, id: OpenId): void {
    const waiters = id.waiters;
    id.waiters = NONE;
    if (id.holder === undefined && id.intents.length === 0) this.#open.delete(name);
    for (const waiter of waiters) waiter.resume();
  }
}
