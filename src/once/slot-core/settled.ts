/** Outcomes that are not in the slot yet. They spare the next home a look, so a short delay costs nothing. */
import {
  type DoneEntry,
  type GoneEntry,
  MAX_ENTRIES,
  type SlotRecord,
  type Writer,
} from "../slot-records.ts";
import type { SlotPort } from "./port.ts";

/** Milliseconds after which they are appended without a group. */
const SETTLE_MS = 100;

export class Settled {
  readonly #port: Pick<SlotPort, "monotonic">;
  #done: DoneEntry[] = [];
  #gone: GoneEntry[] = [];
  #dueAt = Infinity;

  constructor(port: Pick<SlotPort, "monotonic">) {
    this.#port = port;
  }

  get size(): number {
    return this.#done.length + this.#gone.length;
  }

  get dueAt(): number {
    return this.#dueAt;
  }

  done(entry: DoneEntry): void {
    this.#begin();
    this.#done.push(entry);
  }

  gone(entry: GoneEntry): void {
    this.#begin();
    this.#gone.push(entry);
  }

  /** The first outcome decides when they are due. */
  #begin(): void {
    if (this.size === 0) this.#dueAt = this.#port.monotonic() + SETTLE_MS;
  }

  /** Takes all of them out, as records. */
  take(writer: Writer, ids: number): readonly SlotRecord[] {
    const done = parts(this.#done).map((entries) => ({ type: "done" as const, writer, ids, entries }));
    const gone = parts(this.#gone).map((entries) => ({ type: "gone" as const, writer, ids, entries }));
    this.#done = [];
    this.#gone = [];
    this.#dueAt = Infinity;
    return [...done, ...gone];
  }

  /** The append of these records has failed. A record that is in the slot twice does no harm. */
  putBack(records: readonly SlotRecord[]): void {
    for (const record of records) {
      if (record.type === "done") for (const entry of record.entries) this.done(entry);
      if (record.type === "gone") for (const entry of record.entries) this.gone(entry);
    }
  }
}

const parts = <T>(entries: readonly T[]): readonly (readonly T[])[] =>
  Array.from({ length: Math.ceil(entries.length / MAX_ENTRIES) }, (_, part) =>
    entries.slice(part * MAX_ENTRIES, (part + 1) * MAX_ENTRIES),
  );
