/**
 * The line-up of a courier that sends batches. Each record comes first alone, in the order of its partition, so that the
 * courier can check and prepare it. Then it joins a batch.
 */
import { partitionId } from "../../../broker/partitions.ts";
import type { Claim, Item } from "../claims.ts";
import type { PreparedRecord } from "../delivery-plan.ts";
import { createOrderedQueues } from "../ordering.ts";
import { createBatchQueues, type BatchQueuesOptions } from "./batch-queues.ts";
import { isBatch, type Batch, type Unit } from "./batch.ts";

export interface Gathering {
  add(item: Item): void;
  /** Returns the next record that has to be checked. Its partition waits until it has joined a batch or is released. */
  takeRecord(): Item | undefined;
  join(item: Item, record: PreparedRecord): void;
  /** Returns the next batch that may be sent. */
  take(): Batch | undefined;
  release(unit: Unit): void;
  putBack(unit: Unit): void;
  /** Calls `onDone` when all earlier records of the partition are finished. The record keeps its partition waiting. */
  afterEarlier(item: Item, onDone: () => void): void;
  /** Ends the open batches of a revoked claim. */
  forget(claim: Claim): void;
  halt(): void;
}

/** The unfinished batches of one claim. */
interface Gathered {
  batches: number;
  bytes: number;
  /** The record that joined last. Its partition waits until less is in memory. */
  full: Item | undefined;
  /** The record for which `afterEarlier` was called. */
  last: { readonly item: Item; readonly onDone: () => void } | undefined;
}

const createLedger = () => {
  const gathered = new Map<Claim, Gathered>();
  const open = (claim: Claim): Gathered => {
    const known = gathered.get(claim) ?? { batches: 0, bytes: 0, full: undefined, last: undefined };
    gathered.set(claim, known);
    return known;
  };
  return {
    get: (claim: Claim): Gathered | undefined => gathered.get(claim),
    open,
    begun: (claim: Claim, frameBytes: number): void => {
      const ofClaim = open(claim);
      ofClaim.batches += 1;
      ofClaim.bytes += frameBytes;
    },
    finished: ({ claim, bytes }: Batch): Gathered => {
      const ofClaim = open(claim);
      ofClaim.batches -= 1;
      ofClaim.bytes -= bytes;
      if (ofClaim.batches === 0) gathered.delete(claim);
      return ofClaim;
    },
  };
};

export type GatheringOptions = Omit<BatchQueuesOptions, "onBegun">;

export const createGathering = (options: GatheringOptions): Gathering => {
  const { maxBytes, frameBytes, bytesOf } = options.batching;
  const limit = 2 * maxBytes;
  const records = createOrderedQueues<Item>();
  const ledger = createLedger();
  const queues = createBatchQueues({
    ...options,
    onBegun: ({ claim }) => {
      ledger.begun(claim, frameBytes);
    },
  });

  const releaseBatch = (batch: Batch): void => {
    queues.release(batch);
    const gathered = ledger.finished(batch);
    if (gathered.full !== undefined && gathered.bytes < limit) {
      records.release(gathered.full);
      gathered.full = undefined;
    }
    if (gathered.batches === 0) gathered.last?.onDone();
  };

  return {
    ...queues,
    add: (item) => {
      records.add(item, partitionId(item.record));
    },
    takeRecord: () => records.take(),
    join: (item, record) => {
      const gathered = ledger.open(item.claim);
      gathered.bytes += bytesOf(record);
      queues.join(item, record);
      if (gathered.bytes < limit) records.release(item);
      else gathered.full = item;
    },
    release: (unit) => {
      if (isBatch(unit)) releaseBatch(unit);
      else records.release(unit);
    },
    putBack: (unit) => {
      if (isBatch(unit)) queues.putBack(unit);
      else records.putBack(unit);
    },
    afterEarlier: (item, onDone) => {
      const gathered = ledger.get(item.claim);
      if (gathered !== undefined) gathered.last = { item, onDone };
      queues.end(item.claim);
      if (gathered === undefined) onDone();
    },
    forget: (claim) => {
      queues.end(claim);
      const gathered = ledger.get(claim);
      if (gathered?.last === undefined) return;
      records.release(gathered.last.item);
      gathered.last = undefined;
    },
  };
};
