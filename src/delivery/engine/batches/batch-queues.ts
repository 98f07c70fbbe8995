/** Cuts records into batches, and says which batch may be sent next. */
import { partitionId } from "../../../broker/partitions.ts";
import { createFifo } from "../../../lib/fifo.ts";
import type { Claim, Item } from "../claims.ts";
import type { PreparedRecord } from "../delivery-plan.ts";
import type { OrderKeyOf } from "../ordering.ts";
import { addMember, type Batch, type Member } from "./batch.ts";
import { createLines } from "./lines.ts";
import { createOpenBatches, type OpenBatchesOptions } from "./open-batches.ts";

export interface BatchQueues {
  /** The record joins the open batch of its group, or begins one. Call it in the order of the partition. */
  join(item: Item, record: PreparedRecord): void;
  /** Returns the next batch, and ends it. Batches that have to come after it wait until it is released. */
  take(): Batch | undefined;
  release(batch: Batch): void;
  /** `take` returns the batch again. */
  putBack(batch: Batch): void;
  /** Ends the open batches of the partition. */
  end(claim: Claim): void;
  /** Ends all waits for further records. */
  halt(): void;
}

export interface BatchQueuesOptions extends OpenBatchesOptions {
  readonly orderKeyOf: OrderKeyOf;
  /** The wait of a batch for further records is over. */
  readonly onLingered: () => void;
}

const createReadyQueue = (isReady: (batch: Batch) => boolean) => {
  const ready = createFifo<Batch>();
  const queued = new Set<Batch>();
  const add = (batch: Batch): void => {
    queued.add(batch);
    ready.push(batch);
  };
  return {
    add,
    addIfReady: (batch: Batch): void => {
      if (!queued.has(batch) && isReady(batch)) add(batch);
    },
    take: (): Batch | undefined => {
      for (let batch = ready.shift(); batch !== undefined; batch = ready.shift()) {
        queued.delete(batch);
        // A record that joined later can have brought an order key that an earlier batch holds.
        if (isReady(batch)) return batch;
      }
      return undefined;
    },
  };
};

/** The name of the batch that is sent alone. No group has it, because the name of a group contains a space. */
const ALONE = "";

export const createBatchQueues = (options: BatchQueuesOptions): BatchQueues => {
  const { batching, orderKeyOf, onLingered } = options;
  const { maxRecords, maxRecordsOf = () => maxRecords, maxBytes, lingerMs } = batching;
  const lines = createLines();
  const ready = createReadyQueue((batch) => lines.isFirst(batch) && (!batch.isOpen || lingerMs === 0));
  const open = createOpenBatches(options, (batch) => {
    ready.addIfReady(batch);
    onLingered();
  });

  const close = (batch: Batch): void => {
    open.close(batch);
    ready.addIfReady(batch);
  };

  const end = (claim: Claim): void => {
    for (const batch of open.of(claim)) close(batch);
  };

  /** The open batch that the record can join. An open batch of its group that it can't join is ended. */
  const openFor = ({ item, record }: Member, id: string): Batch | undefined => {
    const found = open.get(item.claim, id);
    if (found === undefined) return undefined;
    const isFull = found.bytes + batching.bytesOf(record) > maxBytes;
    if (!isFull && lines.keepsOrder(found, orderKeyOf(item.record), partitionId(item.record))) return found;
    close(found);
    return undefined;
  };

  const join = (member: Member): void => {
    const { item, record } = member;
    const group = batching.groupOf(record);
    if (group === undefined) end(item.claim);
    // Records with different numbers of attempts have different retry states.
    const id = group === undefined ? ALONE : `${item.attempts} ${group}`;
    const batch = openFor(member, id) ?? open.begin(item, id);
    const key = orderKeyOf(item.record);
    addMember(batch, member, batching.bytesOf(record));
    if (key !== undefined) lines.hold(batch, key);
    const isFull = batch.members.length >= maxRecordsOf(record) || batch.bytes >= maxBytes;
    if (isFull || group === undefined) close(batch);
    else ready.addIfReady(batch);
  };

  return {
    join: (item, record) => {
      join({ item, record });
    },
    take: () => {
      const batch = ready.take();
      if (batch !== undefined) open.close(batch);
      return batch;
    },
    release: (batch) => {
      for (const next of lines.release(batch)) ready.addIfReady(next);
    },
    putBack: ready.add,
    end,
    halt: open.halt,
  };
};
