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
import { createCommits } from "./commits.ts";
import { createHolding, type Holding } from "./holding.ts";
import { settledWithin } from "./timeouts.ts";

/** With a session of ten seconds the partitions of a member that is gone without a word move within 15 s. */
const SESSION_TIMEOUT = 10_000;
const HEARTBEAT_INTERVAL = 1000;
const REBALANCE_TIMEOUT = 10_000;
/** How long the broker keeps a fetch that finds nothing: also how long a pause or an end may have to wait. */
const MAX_WAIT = 500;
const MAX_BYTES = 4 << 20;
const MAX_PARTITION_BYTES = 1 << 20;
const CONCURRENT_PARTITIONS = 16;

const LEAVE_TIMEOUT = 5000;

export interface MemberEvents {
  onJoined(): void;
  /** kafkajs has given up on this consumer. */
  onLost(cause: unknown): void;
}

export interface Member {
  readonly assignment: readonly TopicPartition[];
  /** Joins the group, after `before`. */
  start(before: () => Promise<void> | undefined): Promise<void>;
  pause(partitions: readonly TopicPartition[]): void;
  resume(partitions: readonly TopicPartition[]): void;
  seek(position: TopicPartitionOffset): void;
  commit(positions: readonly TopicPartitionOffset[]): Promise<void>;
  leave(): Promise<void>;
}

interface MemberDependencies {
  readonly kafka: Kafka;
  readonly group: string;
  /** Milliseconds. */
  readonly sessionTimeout: number | undefined;
  readonly options: SubscribeOptions;
  readonly handlers: SubscriptionHandlers;
  readonly events: MemberEvents;
  readonly countPartitions: CountPartitions;
  /** Where a partition is to be read from; undefined: at the group's committed position. */
  readonly placeOf: (partition: TopicPartition) => bigint | undefined;
}

const createConsumer = (
  { kafka, group, countPartitions, sessionTimeout = SESSION_TIMEOUT }: MemberDependencies,
  holding: Pick<Holding, "revoke">,
): Consumer =>
  kafka.consumer({
    groupId: group,
    // What is given up is given up before the member joins again: until then its commits count.
    partitionAssigners: [bySubscription(countPartitions, () => holding.revoke())],
    sessionTimeout,
    heartbeatInterval: HEARTBEAT_INTERVAL,
    rebalanceTimeout: REBALANCE_TIMEOUT,
    maxWaitTimeInMs: MAX_WAIT,
    maxBytes: MAX_BYTES,
    maxBytesPerPartition: MAX_PARTITION_BYTES,
    allowAutoTopicCreation: false,
    retry: { retries: 5, restartOnFailure: () => Promise.resolve(false) },
  });

export const createMember = (dependencies: MemberDependencies): Member => {
  const { options, handlers, events, placeOf } = dependencies;
  const holding = createHolding(handlers);
  const consumer = createConsumer(dependencies, holding);
  const commit = createCommits(consumer);
  let left = false;
  let starting: Promise<void> = Promise.resolve();
  /** Outside of its group kafkajs takes no pause, resume or seek. None is missing: what is assigned next begins afresh. */
  let joined = false;

  consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => {
    if (left) return;
    joined = true;
    events.onJoined();
    const partitions = partitionsOf(payload.memberAssignment);
    begin(consumer, partitions, placeOf);
    holding.assign(partitions);
  });
  consumer.on(consumer.events.STOP, () => {
    joined = false;
  });
  consumer.on(consumer.events.CRASH, ({ payload }) => {
    if (!left) events.onLost(payload.error);
  });

  return {
    get assignment() {
      return holding.partitions;
    },
    start: (before) => {
      const onBatch = (payload: EachBatchPayload): void => {
        if (!left) handOver(payload, handlers);
      };
      starting = Promise.resolve(before()).then(() => run(consumer, options, onBatch));
      return starting;
    },
    pause: (partitions) => {
      if (joined) consumer.pause(grouped(partitions));
    },
    resume: (partitions) => {
      if (joined) consumer.resume(grouped(partitions));
    },
    seek: ({ topic, partition, offset }) => {
      if (joined) consumer.seek({ topic, partition, offset: offset.toString() });
    },
    commit: async (positions) => {
      if (!positions.every((position) => isAmong(holding.partitions, position)))
        throw new GatewayError("BROKER_UNAVAILABLE");
      await commit(positions);
    },
    leave: async () => {
      if (left) return;
      await holding.revoke();
      left = true;
      // A consumer that is ended while it starts would go on with its start.
      const started = starting.catch(() => undefined);
      await settledWithin(
        LEAVE_TIMEOUT,
        started.then(() => consumer.disconnect()),
      ).catch(() => undefined);
    },
  };
};

const run = async (
  consumer: Consumer,
  { topics, from }: SubscribeOptions,
  onBatch: (payload: EachBatchPayload) => void,
): Promise<void> => {
  await consumer.connect();
  await consumer.subscribe({ topics: [...topics], fromBeginning: from === "earliest" });
  await consumer.run({
    autoCommit: false,
    partitionsConsumedConcurrently: CONCURRENT_PARTITIONS,
    eachBatch: (payload) => {
      onBatch(payload);
      return Promise.resolve();
    },
  });
};

/** What is assigned begins afresh: a pause was the owner's word on a partition that it held. */
const begin = (
  consumer: Consumer,
  partitions: readonly TopicPartition[],
  placeOf: MemberDependencies["placeOf"],
): void => {
  const paused = consumer.paused();
  if (paused.length > 0) consumer.resume(paused);
  for (const partition of partitions) {
    const offset = placeOf(partition);
    if (offset !== undefined) consumer.seek({ ...partition, offset: offset.toString() });
  }
};

const partitionsOf = (memberAssignment: Readonly<Record<string, readonly number[]>>): TopicPartition[] =>
  Object.entries(memberAssignment).flatMap(([topic, numbers]) =>
    numbers.map((partition) => ({ topic, partition })),
  );

const isAmong = (held: readonly TopicPartition[], { topic, partition }: TopicPartition): boolean =>
  held.some((one) => one.topic === topic && one.partition === partition);

const grouped = (partitions: readonly TopicPartition[]): { topic: string; partitions: number[] }[] =>
  partitions.map(({ topic, partition }) => ({ topic, partitions: [partition] }));

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
    [values as unknown]
      .flat()
      .filter(isHeaderValue)
      .map((value) => ({ name, value })),
  );

/** kafkajs collects the values in a plain object, so that "constructor" and its like begin with what objects inherit. */
const isHeaderValue = (value: unknown): value is Buffer | null => value === null || Buffer.isBuffer(value);
