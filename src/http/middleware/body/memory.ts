/** How much memory request bodies may take, and which of them gives way when there is none left. */
import { GatewayError } from "../../../errors.ts";
import type { MemoryBudget } from "../../../lib/memory-budget.ts";

/** A body of which a part has arrived. */
export interface Reading {
  /** Ends the reading with OVERLOADED and gives its bytes back. */
  cut(): void;
}

/** The memory of one kind of clients. Each body takes the bytes that it holds and gives them back later. */
export interface BodyMemory {
  /** False: the reading has to end. Can cut other readings. */
  tryTake(bytes: number, reading: Reading): boolean;
  give(bytes: number): void;
  began(reading: Reading): void;
  ended(reading: Reading): void;
}

export interface BodyMemories {
  /** Clients with a credential that is not public. A body that would exceed the budget is refused. */
  readonly known: BodyMemory;
  /**
   * All others: clients whose body is read before the gateway knows them, and clients with a public key. They have a
   * share of the budget. When it is used up, the body that has been arriving for the longest time is cut, so that slow
   * senders don't keep fast ones out.
   */
  readonly strangers: BodyMemory;
}

/** Of the whole budget, for strangers. */
const STRANGERS_SHARE = 0.5;

export const createBodyMemories = (budget: MemoryBudget): BodyMemories => ({
  known: memoryOfKnown(budget),
  strangers: memoryOfStrangers(budget.part(Math.floor(budget.maxBytes * STRANGERS_SHARE))),
});

const nothing = (): void => undefined;

const memoryOfKnown = (budget: MemoryBudget): BodyMemory => ({
  tryTake: (bytes) => budget.tryTake(bytes),
  give: (bytes) => {
    budget.give(bytes);
  },
  began: nothing,
  ended: nothing,
});

const memoryOfStrangers = (share: MemoryBudget): BodyMemory => {
  const oldestFirst = new Set<Reading>();
  const makeRoom = (bytes: number, reading: Reading): boolean => {
    for (const oldest of oldestFirst) {
      if (oldest === reading) return false;
      oldest.cut();
      if (share.usedBytes + bytes <= share.maxBytes) return true;
    }
    return false;
  };
  return {
    tryTake: (bytes, reading) => {
      const fits = share.usedBytes + bytes <= share.maxBytes || makeRoom(bytes, reading);
      return fits && share.tryTake(bytes);
    },
    give: (bytes) => {
      share.give(bytes);
    },
    began: (reading) => {
      oldestFirst.add(reading);
    },
    ended: (reading) => {
      oldestFirst.delete(reading);
    },
  };
};

export const outOfMemory = (): GatewayError =>
  new GatewayError("OVERLOADED", {
    message: "The memory for requests is used up (limits.memory). Send the request again later.",
    headers: { Connection: "close" },
  });
