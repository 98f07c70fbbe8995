/** A whole broker inside this process, over any storage that is a `LocalStore`. */
import { LOCAL_CLUSTER, type Broker, type TopicInfo, type TopicPartition } from "../broker.ts";
import { GatewayError } from "../../errors.ts";
import { createPartitioner } from "../partitioner.ts";
import { createAppender } from "./appender.ts";
import { firstSince } from "./offset-search.ts";
import type { LocalStore, LocalTopic } from "./store.ts";
import { createSubscriptions, type Subscriptions } from "./subscriptions.ts";

export interface LocalBrokerOptions {
  readonly kind: "embedded" | "memory";
  readonly store: LocalStore;
  /** Partitions of a topic that is created without a number of its own. */
  readonly partitions: number;
  /** Largest record of a topic that is created without a size of its own: bytes of key, value and headers. */
  readonly maxRecordBytes: number;
}

const attempt = <T>(work: () => T): Promise<T> =>
  new Promise((resolve) => {
    resolve(work());
  });

const infoOf = ({ name, partitions }: LocalTopic): TopicInfo => ({ name, partitions });

const topicIn = (store: LocalStore, name: string): LocalTopic => {
  const topic = store.topics().get(name);
  if (topic === undefined) throw new GatewayError("STATION_UNKNOWN");
  return topic;
};

const partitionsIn = (store: LocalStore, name: string): readonly TopicPartition[] =>
  Array.from({ length: topicIn(store, name).partitions }, (_, partition) => ({ topic: name, partition }));

const topicsOf = (
  { store, partitions, maxRecordBytes }: LocalBrokerOptions,
  onCreated: (topic: string) => void,
): Pick<Broker, "topic" | "topics" | "ensureTopic" | "watermarks" | "offsetsAt"> => {
  const beingCreated = new Map<string, Promise<void>>();

  const create = async (topic: LocalTopic): Promise<void> => {
    try {
      await store.createTopic(topic);
    } finally {
      beingCreated.delete(topic.name);
    }
    onCreated(topic.name);
  };

  return {
    topic: (name) => {
      const topic = store.topics().get(name);
      return Promise.resolve(topic && infoOf(topic));
    },
    topics: () => Promise.resolve([...store.topics().values()].map(infoOf)),
    ensureTopic: async ({ name, ...spec }) => {
      if (!store.topics().has(name)) {
        const topic = {
          name,
          partitions: spec.partitions ?? partitions,
          maxRecordBytes: spec.maxRecordBytes ?? maxRecordBytes,
        };
        const creation = beingCreated.get(name) ?? create(topic);
        beingCreated.set(name, creation);
        await creation;
      }
      return infoOf(topicIn(store, name));
    },
    watermarks: (name) =>
      attempt(() => partitionsIn(store, name).map((of) => ({ partition: of.partition, ...store.ends(of) }))),
    offsetsAt: async (name, timestamp) =>
      Promise.all(
        partitionsIn(store, name).map(async (of) => ({
          ...of,
          offset: await firstSince(store, of, timestamp),
        })),
      ),
  };
};

const positionsOf = (
  store: LocalStore,
  subscriptions: Subscriptions,
): Pick<Broker, "committed" | "setCommitted" | "deleteGroup"> => {
  const refuseMembers = (group: string): void => {
    if (subscriptions.hasMembers(group)) {
      throw new GatewayError("REQUEST_INVALID", { message: "The consumer group still has members" });
    }
  };

  return {
    committed: (group, topic) =>
      Promise.resolve(store.positions(group).filter((position) => position.topic === topic)),
    setCommitted: async (group, positions, isWanted = () => true) => {
      refuseMembers(group);
      for (const { topic, partition } of positions) {
        if (partition >= topicIn(store, topic).partitions) throw new GatewayError("PARTITION_UNKNOWN");
      }
      const stored = store.positions(group);
      const wanted = positions.filter((position) => {
        const isSame = (one: TopicPartition): boolean =>
          one.topic === position.topic && one.partition === position.partition;
        return isWanted(position, stored.find(isSame)?.offset);
      });
      if (wanted.length > 0) await store.savePositions(group, wanted);
    },
    deleteGroup: async (group) => {
      refuseMembers(group);
      await store.deletePositions(group);
    },
  };
};

/** A broker over a storage; see `Broker` for what it promises. */
export const createLocalBroker = (options: LocalBrokerOptions): Broker => {
  const { kind, store } = options;
  const subscriptions = createSubscriptions(store);
  const append = createAppender({
    store,
    partitioner: createPartitioner(),
    onStored: subscriptions.wake,
  });

  return {
    kind,
    open: store.open,
    close: async () => {
      await subscriptions.close();
      await store.close();
    },
    check: store.check,
    clusterId: () => Promise.resolve(LOCAL_CLUSTER),
    append,
    ...topicsOf(options, subscriptions.created),
    ...positionsOf(store, subscriptions),
    subscribe: (wanted, handlers) => Promise.resolve(subscriptions.subscribe(wanted, handlers)),
  };
};
