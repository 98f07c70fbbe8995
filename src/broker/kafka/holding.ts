/** The partitions that the group has given to one member. */
import type { SubscriptionHandlers, TopicPartition } from "../broker.ts";
import { settledWithin } from "./timeouts.ts";

export interface Holding {
  readonly partitions: readonly TopicPartition[];
  assign(partitions: readonly TopicPartition[]): void;
  /** Tells the handlers, and resolves when they are done, or after a bounded time. */
  revoke(): Promise<void>;
}

/** Well within the time that the group waits for its members to come together again. */
const REVOKE_TIMEOUT = 5000;

export const createHolding = (handlers: SubscriptionHandlers): Holding => {
  let partitions: readonly TopicPartition[] = [];
  let revoking: Promise<void> | undefined;

  const giveUp = async (): Promise<void> => {
    const given = partitions;
    const told = async (): Promise<void> => handlers.onRevoked?.(given);
    await settledWithin(REVOKE_TIMEOUT, told()).catch(() => undefined);
    if (partitions === given) partitions = [];
    revoking = undefined;
  };

  return {
    get partitions() {
      return partitions;
    },
    assign: (assigned) => {
      partitions = assigned;
      handlers.onAssigned?.(assigned);
    },
    revoke: async () => {
      if (partitions.length > 0) await (revoking ??= giveUp());
    },
  };
};
