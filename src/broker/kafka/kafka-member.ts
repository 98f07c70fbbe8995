/** One consumer of kafkajs as a member of its group, from its start to its end. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Cluster, Consumer, EachBatchPayload, Kafka } from "kafkajs";
import { GatewayError } from "../../errors.ts";
import type {
  GroupPosition,
  SubscribeOptions,
  SubscriptionHandlers,
  TopicPartition,
  TopicPartitionOffset,
  Watermarks,
} from "../broker.ts";
import { bySubscription, type CountPartitions } from "./assigner.ts";
import { createCommits } from "./commits.ts";
import { createHolding, createSought, handOver, type Holding, type Sought } from "./partition-flow.ts";
import { lookInside, type Inside } from "./kafkajs-inside.ts";
import { settledWithin } from "./options.ts";

/** With a session of ten seconds the partitions of a member that is gone without a word move within 15 s. */
const SESSION_TIMEOUT = 10_000;
const HEARTBEAT_INTERVAL = 1000;
const REBALANCE_TIMEOUT = 10_000;
/** How long the broker keeps a fetch that finds nothing: also how long a pause or an end may have to wait. */
const MAX_WAIT = 500;
const MAX_BYTES = 4 << 20;
const MAX_PARTITION_BYTES = 1 << 20;
const CONCURRENT_PARTITIONS = 16;

/** Before the broker is asked again for a position that it doesn't have. */
const DOUBT_PAUSE = 200;

const LEAVE_TIMEOUT = 5000;

export interface MemberEvents {
  onJoined(): void;
  /** kafkajs has given up on this consumer. */
  onLost(cause: unknown): void;
  /**
   * The broker doesn't know a topic or a position. Resolves to whether other topics exist than this member reads: then
   * another one takes its place. Never rejects.
   */
  onDoubt(): Promise<boolean>;
}

export interface KafkaMember {
  readonly assignment: readonly TopicPartition[];
  /** As in `Subscription`. */
  readonly silence: number;
  /** Joins the group. */
  start(): Promise<void>;
  pause(partitions: readonly TopicPartition[]): void;
  resume(partitions: readonly TopicPartition[]): void;
  seek(position: TopicPartitionOffset): void;
  commit(positions: readonly GroupPosition[]): Promise<void>;
  leave(): Promise<void>;
}

interface MemberDependencies {
  readonly kafka: Kafka;
  readonly group: string;
  /** Milliseconds. */
  readonly sessionTimeout: number | undefined;
  /** Topics that exist. */
  readonly topics: readonly string[];
  readonly from: SubscribeOptions["from"];
  readonly options: Pick<SubscribeOptions, "maxReadBytes">;
  readonly handlers: SubscriptionHandlers;
  readonly events: MemberEvents;
  readonly countPartitions: CountPartitions;
  readonly watermarks: (topic: string) => Promise<readonly Watermarks[]>;
  /** Where a partition is to be read from; undefined: at the group's committed position. */
  readonly placeOf: (partition: TopicPartition) => bigint | undefined;
}

const createConsumer = (
  { kafka, group, countPartitions, options, sessionTimeout = SESSION_TIMEOUT }: MemberDependencies,
  onCluster: (cluster: Cluster) => void,
): Consumer =>
  kafka.consumer({
    groupId: group,
    partitionAssigners: [bySubscription(countPartitions, onCluster)],
    sessionTimeout,
    heartbeatInterval: HEARTBEAT_INTERVAL,
    rebalanceTimeout: REBALANCE_TIMEOUT,
    maxWaitTimeInMs: MAX_WAIT,
    ...bytesOfFetch(options),
    allowAutoTopicCreation: false,
    retry: { retries: 5, restartOnFailure: () => Promise.resolve(false) },
  });

/** Several partitions come with one fetch. */
const bytesOfFetch = ({ maxReadBytes = MAX_PARTITION_BYTES }: Pick<SubscribeOptions, "maxReadBytes">) => ({
  maxBytes: Math.min(MAX_BYTES, 4 * maxReadBytes),
  maxBytesPerPartition: Math.min(MAX_PARTITION_BYTES, maxReadBytes),
});

/** What the parts of one member share. */
interface State {
  readonly holding: Holding;
  readonly sought: Sought;
  assignments: number;
  /** When the newest request to the group was sent that it has answered. */
  answered: number;
  left: boolean;
  /** Outside of its group kafkajs takes no pause, resume or seek. None is missing: what is assigned next begins afresh. */
  joined: boolean;
  starting: Promise<void>;
}

/** The part of a member that looks inside of its consumer. */
const createInside = (
  { handlers, events, watermarks }: MemberDependencies,
  state: State,
  seek: KafkaMember["seek"],
): Inside => {
  const { sought, holding } = state;
  const holds = (partition: TopicPartition): boolean => !state.left && isAmong(holding.partitions, partition);
  return {
    // What is given up is given up before the member joins again: until then its commits count.
    beforeJoin: () => holding.revoke(),
    onAnswered: (sentAt) => {
      state.answered = sentAt;
    },
    assignments: () => state.assignments,
    onCommitted: (position) => {
      if (holds(position) && !sought.has(position)) handlers.onStart?.(position);
    },
    onFetching: (position) => {
      sought.fetching(position);
    },
    onNothingFor: ({ topic, partition, offset }) => {
      if (holds({ topic, partition }) && !sought.isStale({ topic, partition }))
        handlers.onPassed?.({ topic, partition, offset });
    },
    onUnknownTopic: () => {
      void events.onDoubt();
    },
    onOutOfRange: async ({ topic, partition }) => {
      if (await events.onDoubt()) {
        await sleep(DOUBT_PAUSE);
        return;
      }
      const marks = await watermarks(topic);
      const low = marks.find((mark) => mark.partition === partition)?.low;
      // Of what was deleted nothing can be read; the first record that is there has not been.
      if (low !== undefined) seek({ topic, partition, offset: low });
    },
  };
};

const listen = (
  consumer: Consumer,
  state: State,
  { events, placeOf }: MemberDependencies,
  seek: KafkaMember["seek"],
) => {
  consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => {
    if (state.left) return;
    state.joined = true;
    state.assignments += 1;
    state.sought.assigned();
    events.onJoined();
    // What is assigned begins afresh: a pause was the owner's word on a partition that it held.
    const paused = consumer.paused();
    if (paused.length > 0) consumer.resume(paused);
    const partitions = partitionsOf(payload.memberAssignment);
    for (const partition of partitions) {
      const offset = placeOf(partition);
      if (offset !== undefined) seek({ ...partition, offset });
    }
    state.holding.assign(partitions);
  });
  consumer.on(consumer.events.STOP, () => {
    state.joined = false;
  });
  consumer.on(consumer.events.CRASH, ({ payload }) => {
    if (!state.left) events.onLost(payload.error);
  });
};

export const createKafkaMember = (dependencies: MemberDependencies): KafkaMember => {
  const { handlers, sessionTimeout = SESSION_TIMEOUT } = dependencies;
  const holding = createHolding(handlers);
  const state: State = {
    holding,
    sought: createSought(),
    assignments: 0,
    answered: -Infinity,
    left: false,
    joined: false,
    starting: Promise.resolve(),
  };
  const seek: KafkaMember["seek"] = (position) => {
    if (!state.joined) return;
    state.sought.seek(position);
    consumer.seek({ ...position, offset: position.offset.toString() });
  };
  const inside = createInside(dependencies, state, seek);
  const consumer = createConsumer(dependencies, (cluster) => {
    lookInside(cluster, inside);
  });
  const commit = createCommits(consumer);
  listen(consumer, state, dependencies, seek);

  return {
    get assignment() {
      return holding.partitions;
    },
    get silence() {
      return (performance.now() - state.answered) / sessionTimeout;
    },
    start: () => {
      const onBatch = (payload: EachBatchPayload): void => {
        if (!state.left) handOver(payload, handlers);
      };
      state.starting = run(consumer, dependencies, onBatch);
      return state.starting;
    },
    pause: (partitions) => {
      if (state.joined) consumer.pause(grouped(partitions));
    },
    resume: (partitions) => {
      if (state.joined) consumer.resume(grouped(partitions));
    },
    seek,
    commit: async (positions) => {
      if (!positions.every((position) => isAmong(holding.partitions, position)))
        throw new GatewayError("BROKER_UNAVAILABLE");
      await commit(positions);
    },
    leave: () => leave(consumer, state),
  };
};

const leave = async (consumer: Consumer, state: State): Promise<void> => {
  if (state.left) return;
  await state.holding.revoke();
  state.left = true;
  // A consumer that is ended while it starts would go on with its start.
  const started = state.starting.catch(() => undefined);
  await settledWithin(
    LEAVE_TIMEOUT,
    started.then(() => consumer.disconnect()),
  ).catch(() => undefined);
};

const run = async (
  consumer: Consumer,
  { topics, from }: Pick<MemberDependencies, "topics" | "from">,
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

const partitionsOf = (memberAssignment: Readonly<Record<string, readonly number[]>>): TopicPartition[] =>
  Object.entries(memberAssignment).flatMap(([topic, numbers]) =>
    numbers.map((partition) => ({ topic, partition })),
  );

const isAmong = (held: readonly TopicPartition[], { topic, partition }: TopicPartition): boolean =>
  held.some((one) => one.topic === topic && one.partition === partition);

const grouped = (partitions: readonly TopicPartition[]): { topic: string; partitions: number[] }[] =>
  partitions.map(({ topic, partition }) => ({ topic, partitions: [partition] }));
