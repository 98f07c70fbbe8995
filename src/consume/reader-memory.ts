/** Bounds the memory of the events that group members buffer: one limit for all members, and one for each owner. */
import type { Clock } from "../lib/clock.ts";
import type { MemoryBudget } from "../lib/memory-budget.ts";

/** A member that buffers events. */
export interface Holder {
  /** True if no pull waits and no answer is being written. */
  isIdle(): boolean;
  /** Drops events that the member can read again. */
  drop(): void;
  /** Called when there is memory for one more read. */
  onMemory(): void;
}

export interface HolderMemory {
  /** The memory that an event counts for. An event above the owner's limit counts as the whole limit. */
  costOf(bytes: number): number;
  /** Takes the whole cost or nothing. Idle holders drop their events if that is enough. */
  tryTake(cost: number): boolean;
  readonly give: (cost: number) => void;
  /** Calls `onMemory` once, as soon as there is memory for one more read. */
  awaitMemory(): void;
  leave(): void;
}

export interface ReaderMemory {
  join(owner: string, holder: Holder): HolderMemory;
}

/** Maximum bytes of one partition in one read; a single larger record is read alone. */
export const READ_BYTES = 256 * 1024;
/** Estimated bytes of the objects that hold an event. */
const OVERHEAD = 200;
/** A holder that takes no memory within this time after `onMemory` has no records to read. */
const LONGEST_READ_MS = 1000;
/** Milliseconds between two checks whether other parts of the process have given memory back. */
const CHECK_MS = 100;

/** Makes idle holders drop events until the cost fits. At the owner's limit, only holders of the same owner help. */
const reclaim = (holders: ReadonlyMap<Holder, MemoryBudget>, taker: Holder, cost: number): boolean => {
  const own = holders.get(taker);
  if (own === undefined) return false;
  const isOwnFull = own.usedBytes + cost > own.maxBytes;
  for (const [holder, budget] of holders) {
    if (holder === taker || (isOwnFull && budget !== own) || !holder.isIdle()) continue;
    holder.drop();
    if (own.tryTake(cost)) return true;
  }
  return false;
};

type ReadsInFlight = Map<Holder, { readonly own: MemoryBudget; readonly at: number }>;

/** Number of reads that were started at `since` or later and have not returned. `of` undefined: of all owners. */
const readsOf = (reading: ReadsInFlight, of: MemoryBudget | undefined, since: number): number => {
  let reads = 0;
  for (const { own, at } of reading.values()) if (at >= since && (of === undefined || of === own)) reads += 1;
  return reads;
};

/** Each owner gets at most half of the memory, so that the readers of one owner can't stop all others. */
export const createReaderMemory = (whole: MemoryBudget, clock: Clock): ReaderMemory => {
  const ownerBytes = Math.floor(whole.maxBytes / 2);
  const readBytes = Math.min(READ_BYTES, Math.floor(ownerBytes / 4));
  /** Bounded by the number of accounts and keys in the settings. */
  const owners = new Map<string, MemoryBudget>();
  const holders = new Map<Holder, MemoryBudget>();
  const waiting = new Map<Holder, MemoryBudget>();
  /** Holders whose `onMemory` was called and that have taken no memory since. */
  const reading: ReadsInFlight = new Map();
  let cancelCheck: (() => void) | undefined;

  const hasMemory = (of: MemoryBudget): boolean => {
    const reads = readsOf(reading, of === whole ? undefined : of, clock.now() - LONGEST_READ_MS);
    return of.usedBytes + (reads + 1) * readBytes <= of.maxBytes;
  };

  const serve = (): void => {
    if (waiting.size === 0 || !hasMemory(whole)) return;
    for (const [holder, own] of waiting) {
      if (!hasMemory(own)) continue;
      waiting.delete(holder);
      reading.set(holder, { own, at: clock.now() });
      holder.onMemory();
      if (!hasMemory(whole)) return;
    }
  };

  const check = (): void => {
    cancelCheck = undefined;
    serve();
    if (waiting.size > 0) cancelCheck = clock.after(CHECK_MS, check);
  };

  return {
    join: (owner, holder) => {
      const own = owners.get(owner) ?? whole.part(ownerBytes);
      owners.set(owner, own);
      holders.set(holder, own);
      return {
        costOf: (bytes) => Math.min(bytes + OVERHEAD, ownerBytes),
        tryTake: (cost) => {
          reading.delete(holder);
          return own.tryTake(cost) || reclaim(holders, holder, cost);
        },
        give: (cost) => {
          own.give(cost);
          serve();
        },
        awaitMemory: () => {
          waiting.set(holder, own);
          cancelCheck ??= clock.after(CHECK_MS, check);
        },
        leave: () => {
          holders.delete(holder);
          waiting.delete(holder);
          reading.delete(holder);
        },
      };
    },
  };
};
