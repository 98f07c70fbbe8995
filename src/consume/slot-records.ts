/** The living records of one slot in its home, and the puts that change them. */
import { GatewayError } from "../errors.ts";
import type { SlotLog, SlotRecord } from "../home/contract.ts";

/** Joins the parts of a record's name. The parts may contain any character. */
export const recordName = (...parts: readonly (string | number)[]): string =>
  parts.map((part) => encodeURIComponent(part)).join("/");

/** The parts that `recordName` has joined. */
export const partsOfName = (name: string): readonly string[] => name.split("/").map(decodeURIComponent);

export class SlotRecords {
  #log: SlotLog | undefined;
  #living = new Map<string, Buffer>();
  readonly #puts = new Set<Promise<void>>();

  /** The slot is open: `records` replaces what was known. A put that resolves later is newer than `records`. */
  opened(log: SlotLog, records: ReadonlyMap<string, Buffer>): void {
    this.#log = log;
    this.#living = new Map(records);
  }

  /** Puts fail from now on. Resolves when each earlier put has an outcome. */
  async closed(): Promise<void> {
    this.#log = undefined;
    await Promise.allSettled(this.#puts);
  }

  get(name: string): Buffer | undefined {
    return this.#living.get(name);
  }

  /** The records whose names begin with these parts and have further ones. */
  under(...parts: readonly (string | number)[]): readonly (readonly [string, Buffer])[] {
    const prefix = `${recordName(...parts)}/`;
    return [...this.#living].filter(([name]) => name.startsWith(prefix));
  }

  /** As `SlotLog.put`. The records can be read here once the promise has resolved. */
  async put(records: readonly SlotRecord[]): Promise<void> {
    if (records.length === 0) return;
    if (this.#log === undefined) throw new GatewayError("SLOT_MOVED");
    const put = this.#log.put(records);
    this.#puts.add(put);
    try {
      await put;
    } finally {
      this.#puts.delete(put);
    }
    for (const { name, value } of records) {
      if (value === null) this.#living.delete(name);
      else this.#living.set(name, value);
    }
  }
}
