/** All subscriptions of a local broker, and the groups they form. */
import type { SubscribeOptions, SubscriptionHandlers, TopicPartition } from "../broker.ts";
import { createGroup, type Group } from "./group.ts";
import type { LocalStore } from "./store.ts";
import { createSubscription, type LocalSubscription } from "./subscription.ts";

export interface Subscriptions {
  readonly subscribe: (options: SubscribeOptions, handlers: SubscriptionHandlers) => LocalSubscription;
  readonly hasMembers: (group: string) => boolean;
  /** Records have been stored in a partition. */
  readonly wake: (partition: TopicPartition) => void;
  /** A topic has come into being: who waits for it gets its partitions, and nobody else is disturbed. */
  readonly created: (topic: string) => void;
  readonly close: () => Promise<void>;
}

/** No subscriptions yet. Groups live and die with this process; their positions are the store's. */
export const createSubscriptions = (store: LocalStore): Subscriptions => {
  const open = new Set<LocalSubscription>();
  /** By name; a subscription without a group is the only member of a nameless one. */
  const groups = new Map<string | symbol, Group>();

  const groupNamed = (name: string | symbol): Group => {
    const group = groups.get(name) ?? createGroup((topic) => store.topics().get(topic)?.partitions ?? 0);
    groups.set(name, group);
    return group;
  };

  return {
    subscribe: (options, handlers) => {
      const name = options.group ?? Symbol("reader without a group");
      const group = groupNamed(name);
      const onClosed = (subscription: LocalSubscription): void => {
        open.delete(subscription);
        if (group.size === 0 && groups.get(name) === group) groups.delete(name);
      };
      const subscription = createSubscription({ store, group, options, handlers, onClosed });
      open.add(subscription);
      return subscription;
    },
    hasMembers: (group) => (groups.get(group)?.size ?? 0) > 0,
    wake: (partition) => {
      for (const subscription of open) subscription.wake(partition);
    },
    created: (topic) => {
      for (const group of groups.values()) group.created(topic);
    },
    close: async () => {
      await Promise.all([...open].map((subscription) => subscription.close()));
    },
  };
};
