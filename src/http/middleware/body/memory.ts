/** How much memory request bodies may take, and which of them gives way when there is none left. */
import { GatewayError } from "../../../errors.ts";
import {
  createYieldingMemory,
  type Holder,
  type MemoryBudget,
  type YieldingMemory,
} from "../../../lib/memory-budget.ts";

/** The memory of one kind of clients. Each body takes the bytes that it holds and gives them back later. */
export type BodyMemory = YieldingMemory;

export interface BodyMemories {
  /**
   * Clients with a credential that is not public. When the budget is used up, the body that has been arriving for the
   * longest time is cut of the principal that holds the most; a principal that itself holds the most is refused.
   */
  readonly ofPrincipal: (name: string) => BodyMemory;
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
  ofPrincipal: memoryOfPrincipals(budget),
  strangers: createYieldingMemory(budget.part(Math.floor(budget.maxBytes * STRANGERS_SHARE))),
});

/** What a principal holds. Its arriving bodies can give way, the oldest first. */
interface Holdings {
  bytes: number;
  readonly arriving: Set<Holder>;
}

const memoryOfPrincipals = (budget: MemoryBudget): ((name: string) => BodyMemory) => {
  const principals = new Map<string, Holdings>();

  const holdingsOf = (name: string): Holdings => {
    const holdings = principals.get(name) ?? { bytes: 0, arriving: new Set() };
    principals.set(name, holdings);
    return holdings;
  };

  const forgetEmpty = (name: string, { bytes, arriving }: Holdings): void => {
    if (bytes === 0 && arriving.size === 0) principals.delete(name);
  };

  /** The oldest arriving body of the principal that holds the most, and more than `bytes`. */
  const nextToYield = (bytes: number): Holder | undefined => {
    let largest: Holdings | undefined;
    for (const holdings of principals.values()) {
      if (holdings.arriving.size > 0 && holdings.bytes > (largest?.bytes ?? bytes)) largest = holdings;
    }
    return largest?.arriving.values().next().value;
  };

  return (name) => ({
    tryTake: (bytes) => {
      const own = holdingsOf(name);
      while (!budget.tryTake(bytes)) {
        const holder = nextToYield(own.bytes + bytes);
        if (holder === undefined) return false;
        holder.yieldMemory();
      }
      own.bytes += bytes;
      return true;
    },
    give: (bytes) => {
      budget.give(bytes);
      const own = holdingsOf(name);
      own.bytes -= bytes;
      forgetEmpty(name, own);
    },
    began: (holder) => {
      holdingsOf(name).arriving.add(holder);
    },
    ended: (holder) => {
      const own = holdingsOf(name);
      own.arriving.delete(holder);
      forgetEmpty(name, own);
    },
  });
};

export const outOfMemory = (): GatewayError =>
  new GatewayError("OVERLOADED", {
    message: "The memory for requests is used up (limits.memory). Send the request again later.",
    headers: { Connection: "close" },
  });
