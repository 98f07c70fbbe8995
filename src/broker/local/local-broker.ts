/** A broker inside this process, on any `LocalStore`. */
import { randomUUID } from "node:crypto";
import { setImmediate as nextTurn } from "node:timers/promises";
import { asGatewayError, GatewayError } from "../../errors.ts";
import { type Clock, systemClock } from "../../lib/clock.ts";
import {
  type AppendOutcome,
  type Broker,
  type BrokerRecord,
  LOCAL_CLUSTER,
  type PartitionInfo,
  type TopicInfo,
  type TopicPartition,
  type TopicSpec,
} from "../broker.ts";
import { createPartitioner, type Partitioner, requirePartitions } from "../partitions.ts";
import { contentBytes } from "../record-bytes.ts";
import { createGroupCoordinator } from "./group-coordinator.ts";
import { createOnceAppends } from "./local-once.ts";
import { createReads } from "./local-reads.ts";
import type { LocalStore, LocalTopic } from "./store.ts";
import { createSubscriptions } from "./local-subscription.ts";

interface LocalBrokerOptions {
  readonly kind: "embedded" | "memory";
  readonly store: LocalStore;
  /** Partitions of a topic that is created without a number of partitions. */
  readonly partitions: number;
  /** Maximum record size (see `contentBytes`) of a topic that is created without one. */
  readonly maxRecordBytes: () => number;
  /** Measures when a group member's session ends, and when a waiting read ends. Default: the system's clock. */
  readonly clock?: Clock | undefined;
}

const attempt = <T>(work: () => T): Promise<T> =>
  new Promise((resolve) => {
    resolve(work());
  });

const infoOf = ({ name, partitions }: LocalTopic): TopicInfo => ({ name, partitions });

const partitionInfo = (partition: number): PartitionInfo => ({
  partition,
  leader: 0,
  replicas: [0],
  inSync: [0],
});

const topicIn = (store: LocalStore, name: string): LocalTopic => {
  const topic = store.topics().get(name);
  if (topic === undefined) throw new GatewayError("STATION_UNKNOWN");
  return topic;
};

const partitionsIn = (store: LocalStore, name: string): readonly TopicPartition[] =>
  Array.from({ length: topicIn(store, name).partitions }, (_, partition) => ({ topic: name, partition }));

const settleRetention = (store: LocalStore, spec: TopicSpec, info: TopicInfo): void => {
  if (spec.retentionMs === undefined) return;
  requirePartitions(spec, info);
  store.retain(spec.name, spec.retentionMs);
};

const topicsOf = (
  { store, partitions, maxRecordBytes }: LocalBrokerOptions,
  onCreated: (topic: string) => void,
): Pick<
  Broker,
  "topic" | "topicId" | "topics" | "partitions" | "ensureTopic" | "watermarks" | "offsetsAt" | "leaderEnd"
> => {
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
    topicId: (name) => Promise.resolve(store.topics().get(name)?.uuid),
    topics: () => Promise.resolve([...store.topics().values()].map(infoOf)),
    partitions: (name) => {
      const topic = store.topics().get(name);
      return Promise.resolve(topic && Array.from({ length: topic.partitions }, (_, n) => partitionInfo(n)));
    },
    ensureTopic: async ({ name, ...spec }) => {
      if (!store.topics().has(name)) {
        const topic = {
          name,
          uuid: randomUUID(),
          partitions: spec.partitions ?? partitions,
          maxRecordBytes: spec.maxRecordBytes ?? maxRecordBytes(),
        };
        const creation = beingCreated.get(name) ?? create(topic);
        beingCreated.set(name, creation);
        await creation;
      }
      const info = infoOf(topicIn(store, name));
      settleRetention(store, { name, ...spec }, info);
      return info;
    },
    watermarks: (name) =>
      attempt(() => partitionsIn(store, name).map((of) => ({ partition: of.partition, ...store.ends(of) }))),
    leaderEnd: (name, partition) =>
      attempt(() => {
        const count = store.topics().get(name)?.partitions ?? 0;
        if (partition < 0 || partition >= count) throw new GatewayError("PARTITION_UNKNOWN");
        return store.ends({ topic: name, partition }).high;
      }),
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
  hasMembers: (group: string) => boolean,
): Pick<Broker, "committed" | "setCommitted" | "deleteGroup"> => {
  const refuseMembers = (group: string): void => {
    if (hasMembers(group)) {
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

/** Creates a broker on a store. */
export const createLocalBroker = (options: LocalBrokerOptions): Broker => {
  const { kind, store, clock = systemClock } = options;
  const subscriptions = createSubscriptions(store);
  const reads = createReads(store, clock);
  const coordinator = createGroupCoordinator({ store, clock, hasSubscriptions: subscriptions.hasMembers });
  const onStored = (partition: TopicPartition): void => {
    subscriptions.wake(partition);
    reads.wake(partition);
  };
  const append = createAppender({ store, partitioner: createPartitioner(), onStored });

  return {
    kind,
    open: store.open,
    close: async () => {
      coordinator.close();
      reads.close();
      await subscriptions.close();
      await store.close();
    },
    check: store.check,
    clusterId: () => Promise.resolve(LOCAL_CLUSTER),
    localAddress: () => Promise.resolve("127.0.0.1"),
    append,
    appendOnce: createOnceAppends({ store, clock, onStored }),
    ...topicsOf(options, subscriptions.created),
    ...positionsOf(store, (group) => subscriptions.hasMembers(group) || coordinator.hasMembers(group)),
    groups: coordinator,
    read: reads.read,
    subscribe: async (wanted, handlers) => {
      if (wanted.group !== undefined && coordinator.hasMembers(wanted.group))
        throw new GatewayError("GROUP_REFUSED", { cause: "INCONSISTENT_GROUP_PROTOCOL" });
      return Promise.resolve(subscriptions.subscribe(wanted, handlers));
    },
  };
};

interface AppenderParts {
  readonly store: LocalStore;
  readonly partitioner: Partitioner;
  /** Called for each partition that has new records. */
  readonly onStored: (partition: TopicPartition) => void;
}

/** A record, and its index in the append. */
interface IndexedRecord {
  readonly record: BrokerRecord;
  readonly index: number;
}

const failed = (error: GatewayError): AppendOutcome => ({ status: "failed", error });

/** `Broker.append` on a store. Makes one append of the store for each partition. */
const createAppender = ({ store, partitioner, onStored }: AppenderParts): Broker["append"] => {
  const settle = async (
    to: TopicPartition,
    placed: readonly IndexedRecord[],
    outcomes: AppendOutcome[],
  ): Promise<void> => {
    const { partition } = to;
    try {
      const first = await store.append(
        to,
        placed.map(({ record }) => record),
      );
      placed.forEach(({ record: { timestamp }, index }, position) => {
        outcomes[index] = { status: "stored", partition, offset: first + BigInt(position), timestamp };
      });
      onStored(to);
    } catch (error) {
      for (const { index } of placed) outcomes[index] = failed(asGatewayError(error));
    }
  };

  return async (name, records) => {
    const topic = store.topics().get(name);
    if (topic === undefined) return records.map(() => failed(new GatewayError("STATION_UNKNOWN")));

    const outcomes: AppendOutcome[] = new Array<AppendOutcome>(records.length);
    const byPartition = new Map<number, IndexedRecord[]>();
    const partitions = partitioner.choose(topic, records);
    records.forEach((record, index) => {
      const partition = partitions[index];
      if (partition === undefined) outcomes[index] = failed(new GatewayError("PARTITION_UNKNOWN"));
      else if (contentBytes(record) > topic.maxRecordBytes) {
        outcomes[index] = failed(new GatewayError("RECORD_TOO_LARGE"));
      } else {
        const placed = byPartition.get(partition);
        if (placed === undefined) byPartition.set(partition, [{ record, index }]);
        else placed.push({ record, index });
      }
    });
    await Promise.all(
      [...byPartition].map(([partition, placed]) => settle({ topic: name, partition }, placed, outcomes)),
    );
    return outcomes;
  };
};

const PAGE = { records: 1000, bytes: 4 * 1024 * 1024 };

/**
 * The offset of the first record with this timestamp (milliseconds since the epoch) or a later one, or the high watermark.
 * Reads from the first record, because producers may set timestamps in any order. Pauses between two pages for other work.
 */
const firstSince = async (
  store: Pick<LocalStore, "ends" | "read">,
  of: TopicPartition,
  timestamp: number,
): Promise<bigint> => {
  const { low, high } = store.ends(of);
  let offset = low;
  while (offset < high) {
    const records = store.read({ ...of, offset }, PAGE);
    const found = records.find((record) => record.timestamp >= timestamp);
    if (found !== undefined) return found.offset;
    offset = (records.at(-1)?.offset ?? high) + 1n;
    await nextTurn();
  }
  return high;
};
