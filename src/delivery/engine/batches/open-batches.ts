/** The open batches of each partition: records can still join them. */
import type { Clock } from "../../../lib/clock.ts";
import type { Claim, Item } from "../claims.ts";
import type { Batching } from "../delivery-plan.ts";
import { beginBatch, type Batch } from "./batch.ts";

export interface OpenBatchesOptions {
  readonly batching: Batching;
  readonly clock: Pick<Clock, "after">;
  readonly onBegun: (batch: Batch) => void;
}

export interface OpenBatches {
  get(claim: Claim, id: string): Batch | undefined;
  of(claim: Claim): readonly Batch[];
  /** Begins a batch. It is closed when the linger time is over. */
  begin(item: Item, id: string): Batch;
  /** Closes the batch: no record joins it any more. Does nothing if it is closed. */
  close(batch: Batch): void;
  /** Ends all waits for further records. */
  readonly halt: () => void;
}

/** `onLingered` gets the batch that was closed because its linger time is over. */
export const createOpenBatches = (
  { batching, clock, onBegun }: OpenBatchesOptions,
  onLingered: (batch: Batch) => void,
): OpenBatches => {
  const open = new Map<Claim, Map<string, Batch>>();
  const timers = new Map<Batch, () => void>();
  let begun = 0;

  const close = (batch: Batch): void => {
    if (!batch.isOpen) return;
    batch.isOpen = false;
    timers.get(batch)?.();
    timers.delete(batch);
    const ofClaim = open.get(batch.claim);
    ofClaim?.delete(batch.id);
    if (ofClaim?.size === 0) open.delete(batch.claim);
  };

  const linger = (batch: Batch): void => {
    const onTime = (): void => {
      close(batch);
      onLingered(batch);
    };
    timers.set(batch, clock.after(batching.lingerMs, onTime));
  };

  return {
    get: (claim, id) => open.get(claim)?.get(id),
    of: (claim) => [...(open.get(claim)?.values() ?? [])],
    begin: (item, id) => {
      begun += 1;
      const batch = beginBatch(begun, id, batching, item);
      const ofClaim = open.get(item.claim) ?? new Map<string, Batch>();
      open.set(item.claim, ofClaim.set(id, batch));
      if (batching.lingerMs > 0) linger(batch);
      onBegun(batch);
      return batch;
    },
    close,
    halt: () => {
      for (const cancel of timers.values()) cancel();
    },
  };
};
