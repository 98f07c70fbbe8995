/** One consumer of kafkajs as a member of its group, from its start to its end. */
import type { Batch, Consumer, EachBatchPayload, IHeaders, Kafka, KafkaMessage } from "kafkajs";
import { GatewayError } from "../../errors.ts";
import type {
  ConsumedRecord,
  RecordHeader,
  SubscribeOptions,
  SubscriptionHandlers,
  TopicPartition,
  TopicPartitionOffset,
} from "../broker.ts";
import { bySubscription, type CountPartitions } from "./assigner.ts";
import { settledWithin } from "./timeouts.ts";

/** A member that is gone without a word is missed after the session; its partitions move within 15 s. */
const SESSION_TIMEOUT = 10_000;
const HEARTBEAT_INTERVAL = 1000;
const REBALANCE_TIMEOUT = 10_000;
/** How long the broker keeps a fetch that finds nothing: also how long a pause or an end may have to wait. */
const MAX_WAIT = 500;
const MAX_BYTES = 4 << 20;
const MAX_PARTITION_BYTES = 1 << 20;
const CONCURRENT_PARTITIONS = 16;

const LEAVE_TIMEOUT = 5000;
const REVOKE_TIMEOUT = 5000;

export interface MemberEvents {
  onJoined(): void;
  /** kafkajs has given up on this consumer. */
  onLost(cause: unknown): void;
}

export interface Member {
  readonly assignment: readonly TopicPartition[];
  start(): Promise<void>;
  pause(partitions: readonly TopicPartition[]): void;
  resume(partitions: readonly TopicPartition[]): void;
  seek(position: TopicPartitionOffset): void;
  commit(positions: readonly TopicPartitionOffset[]): Promise<void>;
  leave(): Promise<void>;
}

interface MemberDependencies {
  readonly kafka: Kafka;
  readonly group: string;
  readonly options: SubscribeOptions;
  readonly handlers: SubscriptionHandlers;
  readonly events: MemberEvents;
  readonly countPartitions: CountPartitions;
}

const createConsumer = ({ kafka, group, countPartitions }: MemberDependencies): Consumer =>
  kafka.consumer({
    groupId: group,
    partitionAssigners: [bySubscription(countPartitions)],
    sessionTimeout: SESSION_TIMEOUT,
    heartbeatInterval: HEARTBEAT_INTERVAL,
    rebalanceTimeout: REBALANCE_TIMEOUT,
    maxWaitTimeInMs: MAX_WAIT,
    maxBytes: MAX_BYTES,
    maxBytesPerPartition: MAX_PARTITION_BYTES,
    allowAutoTopicCreation: false,
    retry: { retries: 5, restartOnFailure: () => Promise.resolve(false) },
  });

/** What the group has given to this member. */
interface Holding {
  readonly partitions: readonly TopicPartition[];
  assign(memberAssignment: Readonly<Record<string, readonly number[]>>): void;
  revoke(): Promise<void>;
}

const createHolding = (consumer: Consumer, handlers: SubscriptionHandlers): Holding => {
  let partitions: readonly TopicPartition[] = [];
  return {
    get partitions() {
      return partitions;
    },
    assign: (memberAssignment) => {
      partitions = Object.entries(memberAssignment).flatMap(([topic, numbers]) =>
        numbers.map((partition) => ({ topic, partition })),
      );
      // A pause is the owner's word on a partition that it held; what is assigned begins afresh.
      const paused = consumer.paused();
      if (paused.length > 0) consumer.resume(paused);
      handlers.onAssigned?.(partitions);
    },
    revoke: async () => {
      const given = partitions;
      if (given.length === 0) return;
      const told = handlers.onRevoked?.(given) ?? Promise.resolve();
      await settledWithin(REVOKE_TIMEOUT, told).catch(() => undefined);
      if (partitions === given) partitions = [];
    },
  };
};

export const createMember = (dependencies: MemberDependencies): Member => {
  const { options, handlers, events } = dependencies;
  const consumer = createConsumer(dependencies);
  const holding = createHolding(consumer, handlers);
  let left = false;

  consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => {
    if (left) return;
    events.onJoined();
    holding.assign(payload.memberAssignment);
  });
  // kafkajs doesn't wait for this: a commit made here reaches the coordinator while the others still rejoin.
  consumer.on(consumer.events.REBALANCING, () => void holding.revoke());
  consumer.on(consumer.events.CRASH, ({ payload }) => {
    if (!left) events.onLost(payload.error);
  });

  return {
    get assignment() {
      return holding.partitions;
    },
    start: async () => {
      await consumer.connect();
      await consumer.subscribe({ topics: [...options.topics], fromBeginning: options.from === "earliest" });
      await consumer.run({
        autoCommit: false,
        partitionsConsumedConcurrently: CONCURRENT_PARTITIONS,
        eachBatch: (payload) => {
          if (!left) handOver(payload, handlers);
          return Promise.resolve();
        },
      });
    },
    pause: (partitions) => {
      consumer.pause(grouped(partitions));
    },
    resume: (partitions) => {
      consumer.resume(grouped(partitions));
    },
    seek: ({ topic, partition, offset }) => {
      consumer.seek({ topic, partition, offset: offset.toString() });
    },
    commit: (positions) => commit(consumer, holding.partitions, positions),
    leave: async () => {
      if (left) return;
      await holding.revoke();
      left = true;
      await settledWithin(LEAVE_TIMEOUT, consumer.disconnect()).catch(() => undefined);
    },
  };
};

const grouped = (partitions: readonly TopicPartition[]): { topic: string; partitions: number[] }[] =>
  partitions.map(({ topic, partition }) => ({ topic, partitions: [partition] }));

const commit = async (
  consumer: Consumer,
  assignment: readonly TopicPartition[],
  positions: readonly TopicPartitionOffset[],
): Promise<void> => {
  const isOurs = ({ topic, partition }: TopicPartition): boolean =>
    assignment.some((held) => held.topic === topic && held.partition === partition);
  if (!positions.every(isOurs)) throw new GatewayError("BROKER_UNAVAILABLE");
  const offsets = positions.map(({ offset, ...place }) => ({ ...place, offset: offset.toString() }));
  await consumer.commitOffsets(offsets).catch((cause: unknown) => {
    throw new GatewayError("BROKER_UNAVAILABLE", { cause });
  });
};

const handOver = (payload: EachBatchPayload, handlers: SubscriptionHandlers): void => {
  const { batch } = payload;
  if (batch.messages.length === 0 || payload.isStale() || !payload.isRunning()) return;
  handlers.onRecords(batch.messages.map((message) => consumed(message, batch)));
};

const consumed = (
  { key, value, headers, offset, timestamp }: KafkaMessage,
  { topic, partition }: Batch,
): ConsumedRecord => ({
  topic,
  partition,
  offset: BigInt(offset),
  timestamp: Number(timestamp),
  key,
  value,
  headers: headers === undefined ? [] : headersOf(headers),
});

const headersOf = (headers: IHeaders): readonly RecordHeader[] =>
  Object.entries(headers).flatMap(([name, values]) =>
    (Array.isArray(values) ? values : [values]).map((value) => ({ name, value: Buffer.from(value ?? "") })),
  );
