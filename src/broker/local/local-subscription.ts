/** The subscriptions of a local broker: their start positions, commits and revocations, and the groups that they form. */
import { GatewayError } from "../../errors.ts";
import type {
  GroupPosition,
  SubscribeOptions,
  Subscription,
  SubscriptionHandlers,
  TopicPartition,
} from "../broker.ts";
import { createGroup, type Group, type GroupMember } from "./group.ts";
import { createPartitionReader, type PartitionReader } from "./partition-reader.ts";
import { atMost, systemClock } from "../../lib/clock.ts";
import type { LocalStore } from "./store.ts";

/** Maximum time in milliseconds that a rebalance waits for `onRevoked`. */
const REVOCATION_MS = 5000;

interface SubscriptionParts {
  readonly store: LocalStore;
  readonly group: Group;
  readonly options: SubscribeOptions;
  readonly handlers: SubscriptionHandlers;
  readonly onClosed: (subscription: LocalSubscription) => void;
}

interface LocalSubscription extends Subscription {
  /** Records have been stored in a partition. */
  wake(partition: TopicPartition): void;
}

/**
 * The start in a partition: the committed position if it is readable, and the first record if the records at the position were freed.
 * Otherwise the beginning or the end, as `from` says.
 */
const startOf = (
  { store, options }: SubscriptionParts,
  of: TopicPartition,
): { readonly offset: bigint; readonly committed?: GroupPosition } => {
  const { low, high } = store.ends(of);
  const committed = (options.group === undefined ? [] : store.positions(options.group)).find(
    ({ topic, partition }) => topic === of.topic && partition === of.partition,
  );
  if (committed !== undefined && committed.offset <= high)
    return committed.offset < low ? { offset: low } : { offset: committed.offset, committed };
  return { offset: options.from === "earliest" ? low : high };
};

const commit = async (
  { store, options }: SubscriptionParts,
  reader: PartitionReader,
  positions: readonly GroupPosition[],
): Promise<void> => {
  if (options.group === undefined) {
    throw new GatewayError("REQUEST_INVALID", {
      message: "A subscription without a group has no positions",
    });
  }
  if (!positions.every(reader.owns)) {
    throw new GatewayError("BROKER_UNAVAILABLE", {
      message: "The partition is assigned to another member now",
    });
  }
  await store.savePositions(options.group, positions);
};

/** Joins the group; the assignment follows. */
const createSubscription = (parts: SubscriptionParts): LocalSubscription => {
  const { store, group, options, handlers } = parts;
  const reader = createPartitionReader(store, handlers, options.maxReadBytes);
  const assign = (partitions: readonly TopicPartition[]): void => {
    const starts = partitions.map((partition) => ({ ...partition, ...startOf(parts, partition) }));
    reader.assign(starts);
    if (partitions.length > 0) handlers.onAssigned?.(partitions);
    for (const { committed } of starts) if (committed !== undefined) handlers.onStart?.(committed);
  };
  let revocation: Promise<void> | undefined;

  const giveUp = async (): Promise<void> => {
    const partitions = reader.assignment;
    reader.halt();
    try {
      if (partitions.length > 0)
        await atMost(systemClock, REVOCATION_MS, handlers.onRevoked?.(partitions) ?? Promise.resolve());
    } catch (error) {
      handlers.onError?.(new GatewayError("INTERNAL", { cause: error }));
    }
    reader.release();
  };

  const member: GroupMember = {
    topics: options.topics,
    revoke: () => {
      revocation ??= giveUp().finally(() => {
        revocation = undefined;
      });
      return revocation;
    },
    assign,
  };
  group.join(member);

  const subscription: LocalSubscription = {
    get assignment() {
      return reader.assignment;
    },
    silence: 0,
    pause: reader.pause,
    resume: reader.resume,
    seek: reader.seek,
    wake: reader.wake,
    commit: (positions) => commit(parts, reader, positions),
    close: async () => {
      await group.leave(member);
      parts.onClosed(subscription);
    },
  };
  return subscription;
};

export interface Subscriptions {
  readonly subscribe: (options: SubscribeOptions, handlers: SubscriptionHandlers) => LocalSubscription;
  readonly hasMembers: (group: string) => boolean;
  /** Records have been stored in a partition. */
  readonly wake: (partition: TopicPartition) => void;
  /** A topic was created: rebalances only the groups that subscribe to it. */
  readonly created: (topic: string) => void;
  readonly close: () => Promise<void>;
}

/** Groups exist only in this process; the store keeps their positions. */
export const createSubscriptions = (store: LocalStore): Subscriptions => {
  const open = new Set<LocalSubscription>();
  /** By name. A subscription without a group is the only member of a group whose key is a symbol. */
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
