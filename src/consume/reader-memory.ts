/** One bound over the events that all groups hold for their readers, and one over those of each owner of groups. */
import type { Clock } from "../lib/clock.ts";
import type { MemoryBudget } from "../lib/memory-budget.ts";

/** A member that holds events. */
export interface Holder {
  /** No call waits for its events, and no answer with them is being written. */
  isIdle(): boolean;
  /** Forgets events that it can read again. */
  drop(): void;
  /** There is memory for one more read. */
  onRoom(): void;
}

export interface HolderMemory {
  /** What an event of so many bytes counts for. An event that is larger than the bound counts as all of it. */
  costOf(bytes: number): number;
  /** Takes all of the cost, or nothing. Idle holders drop their events first. */
  tryTake(cost: number): boolean;
  readonly give: (cost: number) => void;
  /** Calls `onRoom` once, when there is memory for one more read. */
  awaitRoom(): void;
  leave(): void;
}

export interface ReaderMemory {
  join(owner: string, holder: Holder): HolderMemory;
}

/** Bytes of a partition that one read brings, if these are more than one record. */
export const READ_BYTES = 256 * 1024;
/** Of the objects around an event's bytes, roughly. */
const OVERHEAD = 200;
/** A holder that has taken nothing for so long after it was called has nothing to read. */
const LONGEST_READ_MS = 1000;
/** Memory that others give back is noticed after so many milliseconds. */
const LOOK_AGAIN_MS = 100;

/** Takes the cost from what idle holders forget: those of the same owner where the owner's bound is the one that is met. */
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

type ReadsUnderWay = Map<Holder, { readonly own: MemoryBudget; readonly at: number }>;

/** Reads that have been asked for since then and haven't come; undefined: of all owners. */
const readsOf = (reading: ReadsUnderWay, of: MemoryBudget | undefined, since: number): number => {
  let reads = 0;
  for (const { own, at } of reading.values()) if (at >= since && (of === undefined || of === own)) reads += 1;
  return reads;
};

/** An owner may hold half of it, so that the readers of one owner don't stop all others. */
export const createReaderMemory = (whole: MemoryBudget, clock: Clock): ReaderMemory => {
  const ownerBytes = Math.floor(whole.maxBytes / 2);
  const readBytes = Math.min(READ_BYTES, Math.floor(ownerBytes / 4));
  /** As many as there are accounts and keys in the settings. */
  const owners = new Map<string, MemoryBudget>();
  const holders = new Map<Holder, MemoryBudget>();
  const waiting = new Map<Holder, MemoryBudget>();
  /** Holders that have been called and haven't taken anything since. */
  const reading: ReadsUnderWay = new Map();
  let lookAgain: (() => void) | undefined;

  const hasRoom = (of: MemoryBudget): boolean => {
    const reads = readsOf(reading, of === whole ? undefined : of, clock.now() - LONGEST_READ_MS);
    return of.usedBytes + (reads + 1) * readBytes <= of.maxBytes;
  };

  const serve = (): void => {
    if (waiting.size === 0 || !hasRoom(whole)) return;
    for (const [holder, own] of waiting) {
      if (!hasRoom(own)) continue;
      waiting.delete(holder);
      reading.set(holder, { own, at: clock.now() });
      holder.onRoom();
      if (!hasRoom(whole)) return;
    }
  };

  const look = (): void => {
    lookAgain = undefined;
    serve();
    if (waiting.size > 0) lookAgain = clock.after(LOOK_AGAIN_MS, look);
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
        awaitRoom: () => {
          waiting.set(holder, own);
          lookAgain ??= clock.after(LOOK_AGAIN_MS, look);
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
