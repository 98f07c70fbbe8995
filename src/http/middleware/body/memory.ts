/** How much memory request bodies may take, and which of them gives way when there is none left. */
import { GatewayError } from "../../../errors.ts";
import { createYieldingMemory, type MemoryBudget, type YieldingMemory } from "../../../lib/memory-budget.ts";

/** The memory of one kind of clients. Each body takes the bytes that it holds and gives them back later. */
export type BodyMemory = YieldingMemory;

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
  known: withoutYielding(budget),
  strangers: createYieldingMemory(budget.part(Math.floor(budget.maxBytes * STRANGERS_SHARE))),
});

const nothing = (): void => undefined;

const withoutYielding = (budget: MemoryBudget): BodyMemory => ({
  tryTake: (bytes) => budget.tryTake(bytes),
  give: (bytes) => {
    budget.give(bytes);
  },
  began: nothing,
  ended: nothing,
});

export const outOfMemory = (): GatewayError =>
  new GatewayError("OVERLOADED", {
    message: "The memory for requests is used up (limits.memory). Send the request again later.",
    headers: { Connection: "close" },
  });
