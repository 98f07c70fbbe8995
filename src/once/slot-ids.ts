/**
 * The done ids of a slot: at most its share of `once.maxIds`. Calls and webhook deliveries have half of the share for
 * themselves, so that the events of a station can't push them out; either kind may use what the other one leaves.
 */
import { IdTable, type StoredId } from "./id-table.ts";

export type IdKind = "call" | "event";

export class SlotIds {
  readonly #share: number;
  readonly #tables: Readonly<Record<IdKind, IdTable>> = { call: new IdTable(), event: new IdTable() };

  constructor(share: number) {
    this.#share = share;
  }

  get size(): number {
    return this.#tables.call.size + this.#tables.event.size;
  }

  get bytes(): number {
    return this.#tables.call.bytes + this.#tables.event.bytes;
  }

  /** Milliseconds for which the slot remembers ids; undefined: it has room, so the ids' own windows count. */
  effectiveWindow(now: number): number | undefined {
    if (this.size < this.#share) return undefined;
    const { oldest } = this.#tables[this.#fuller()];
    return oldest === undefined ? undefined : now - oldest;
  }

  get(kind: IdKind, digest: Buffer, now: number): StoredId | undefined {
    return this.#tables[kind].get(digest, now);
  }

  /** As `IdTable.put`. */
  put(kind: IdKind, digest: Buffer, stored: StoredId, now: number): void {
    const table = this.#tables[kind];
    table.forgetPast(now);
    table.put(digest, stored, now);
    while (this.size > this.#share) this.#tables[this.#fuller()].forgetOldest();
  }

  /** The kind that has more than its half. */
  #fuller(): IdKind {
    return this.#tables.call.size * 2 > this.#share ? "call" : "event";
  }
}
