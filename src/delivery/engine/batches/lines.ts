/**
 * The order of batches. A batch holds the order keys of its records. Of the unfinished batches that hold a key, the batch that got
 * it first comes first. The other batches wait for it.
 */
import { createFifo, type Fifo } from "../../../lib/fifo.ts";
import type { Batch } from "./batch.ts";

export interface Lines {
  /** The batch waits for the batches that hold the key already. */
  hold(batch: Batch, key: string): void;
  /** No other batch comes before it. */
  isFirst(batch: Batch): boolean;
  /**
   * False if a record with this order key would come at the wrong time in the open batch. `partition`: the order key of the
   * partition. The decision record has a table of the cases.
   */
  keepsOrder(batch: Batch, key: string | undefined, partition: string): boolean;
  /** Removes a batch that is first. Returns the batches that came directly after it. */
  release(batch: Batch): readonly Batch[];
}

/** The unfinished batches that hold one key. */
interface Line {
  readonly batches: Fifo<Batch>;
  last: Batch;
}

interface Place {
  readonly keys: Set<string>;
  /** Number of lines in which another batch comes first. */
  behind: number;
}

export const createLines = (): Lines => {
  const lines = new Map<string, Line>();
  /** Only batches that hold a key. */
  const places = new Map<Batch, Place>();

  const placeOf = (batch: Batch): Place => {
    const place = places.get(batch) ?? { keys: new Set(), behind: 0 };
    places.set(batch, place);
    return place;
  };

  const leave = (key: string): Batch | undefined => {
    const line = lines.get(key);
    line?.batches.shift();
    const next = line?.batches.peek();
    if (next === undefined) lines.delete(key);
    else placeOf(next).behind -= 1;
    return next;
  };

  return {
    hold: (batch, key) => {
      const place = placeOf(batch);
      if (place.keys.has(key)) return;
      place.keys.add(key);
      const line = lines.get(key) ?? { batches: createFifo(), last: batch };
      if (line.batches.size > 0) place.behind += 1;
      line.batches.push(batch);
      line.last = batch;
      lines.set(key, line);
    },
    isFirst: (batch) => (places.get(batch)?.behind ?? 0) === 0,
    keepsOrder: (batch, key, partition) => {
      const last = key === undefined ? undefined : lines.get(key)?.last;
      if (key === undefined || last === undefined || last === batch) return true;
      const holds = places.get(batch)?.keys.has(key) ?? false;
      return holds ? key === partition : last.number < batch.number;
    },
    release: (batch) => {
      const keys = [...(places.get(batch)?.keys ?? [])];
      places.delete(batch);
      return keys.flatMap((key) => leave(key) ?? []);
    },
  };
};
