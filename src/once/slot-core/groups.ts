/**
 * Group commit: appends the intents of a group to the slot, and hands its events over to their appends when the intents are
 * acknowledged and check (a) holds. One group is on its way at a time.
 */
import { MAX_ENTRIES, type SlotRecord, type Writer } from "../slot-records.ts";
import { type Entry, payloadOf } from "./calls.ts";
import { AGAIN_MS, type CoreContext, drop } from "./context.ts";
import type { EventAppends, IntendedBatch, OwnIntent } from "./event-appends.ts";
import type { Batch, Queue, Queues } from "./queues.ts";

interface Group {
  readonly settled: readonly SlotRecord[];
  readonly batches: readonly IntendedBatch[];
  readonly size: number;
  /** The acknowledgement, while the records before it are read. */
  stored?: { readonly base: number; readonly began: number };
}

interface GroupsOptions {
  readonly context: CoreContext;
  readonly queues: Queues;
  readonly appends: EventAppends;
}

export class Groups {
  readonly #options: GroupsOptions;
  #group: Group | undefined;
  /** The offset that the next record of the slot gets, as far as this home knows. */
  #end = 0;
  #ids = 0;
  #pausedUntil = 0;
  #rereadAt = Infinity;

  constructor(options: GroupsOptions) {
    this.#options = options;
  }

  get isEmpty(): boolean {
    return this.#group === undefined && this.#options.queues.isEmpty;
  }

  /** When `pump` has something to do without an answer. */
  get nextAt(): number {
    if (this.#group !== undefined) return this.#rereadAt;
    const { context, queues } = this.#options;
    const time = context.port.monotonic();
    if (time < this.#pausedUntil) return this.#pausedUntil;
    return queues.hasDropped ? time : Math.min(context.settled.dueAt, queues.nextAskAt);
  }

  /** The home has read the slot up to its own fence. */
  begin(end: number, ids: number): void {
    this.#end = end;
    this.noteIds(ids);
  }

  /** The slot has had this number of ids. */
  noteIds(ids: number): void {
    this.#ids = Math.max(this.#ids, ids);
  }

  /** Appends the next group if there is one and none is on its way. */
  pump(time: number): void {
    const { context, queues } = this.#options;
    const { port, settled, options } = context;
    if (time >= this.#rereadAt) this.#read();
    if (this.#group !== undefined || time < this.#pausedUntil) return;
    const batches = queues.take().map(intended);
    if (batches.length === 0 && time < settled.dueAt) return;
    const before = settled.take(options.writer, this.#ids);
    const intents = batches.flatMap((batch) => batch.intents);
    const records = [...before, ...intentRecords(intents, options.writer, this.#ids)];
    this.#ids += intents.length;
    if (records.length === 0) return;
    this.#group = { settled: before, batches, size: records.length };
    port.appendToSlot(records);
  }

  /** No acknowledgement. `isUnsent`: certainly not stored. */
  slotFailed(isUnsent: boolean): void {
    const { context, queues } = this.#options;
    const group = this.#group;
    if (group === undefined) return;
    this.#group = undefined;
    const time = context.port.monotonic();
    context.settled.putBack(group.settled);
    this.#pausedUntil = time + AGAIN_MS;
    for (const { queue, intents } of group.batches) {
      const entries = intents.map(({ entry }) => entry);
      if (isUnsent) queues.putBack({ queue, entries });
      else {
        queue.isBusy = false;
        for (const entry of entries) drop(context, entry);
      }
    }
  }

  /** The records have the offsets from `base` on. False: the offset can't be right, so the log is another one. */
  slotStored(base: number, began: number): boolean {
    if (this.#group === undefined) return true;
    if (base < this.#end) return false;
    this.#group.stored = { base, began };
    if (base > this.#end) this.#read();
    else this.#confirmed();
    return true;
  }

  #read(): void {
    this.#rereadAt = Infinity;
    const base = this.#group?.stored?.base;
    if (base !== undefined) this.#options.context.port.readSlot(this.#end, base);
  }

  /** The records between what this home knew and the group were read, and contain no fence of another process. */
  slotRead(isComplete: boolean): void {
    if (isComplete) this.#confirmed();
    else this.#rereadAt = this.#options.context.port.monotonic() + AGAIN_MS;
  }

  /** Check (a) holds. */
  #confirmed(): void {
    const { context, appends } = this.#options;
    const group = this.#group;
    if (group?.stored === undefined) return;
    const { base, began } = group.stored;
    this.#group = undefined;
    this.#end = base + group.size;
    const first = base + group.settled.length;
    let at = 0;
    for (const { intents } of group.batches)
      for (const intent of intents) {
        intent.record = first + Math.floor(at / MAX_ENTRIES);
        intent.began = began;
        context.open.add(intent);
        at += 1;
      }
    appends.send(group.batches);
  }
}

const intended = ({ queue, entries }: Batch): IntendedBatch => ({
  queue,
  intents: entries.map((entry) => intentOf(queue, entry)),
});

const intentOf = (queue: Queue, entry: Entry): OwnIntent => {
  const { call, event, name } = entry;
  return {
    digest: event.id.digest,
    kind: event.id.kind,
    window: event.id.window,
    payload: payloadOf(event),
    topic: queue.topic,
    partition: queue.partition,
    from: queue.end ?? 0,
    request: call.call.request,
    name,
    entry,
    record: 0,
    began: 0,
  };
};

const intentRecords = (intents: readonly OwnIntent[], writer: Writer, ids: number): readonly SlotRecord[] => {
  const records: SlotRecord[] = [];
  for (let at = 0; at < intents.length; at += MAX_ENTRIES)
    records.push({ type: "intent", writer, ids: ids + at, entries: intents.slice(at, at + MAX_ENTRIES) });
  return records;
};
