/** One kafkajs consumer as a member of its group, from the join to the leave. */
import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import type { Cluster, Consumer, EachBatchPayload, Kafka } from "kafkajs";
import { GatewayError } from "../../errors.ts";
import type { SubscribeOptions, TopicPartition, Watermarks } from "../broker.ts";
import { bySubscription, type CountPartitions } from "./assigner.ts";
import { createCommits } from "./commits.ts";
import { createHolding, createSought, handOver, type Holding, type Sought } from "./partition-flow.ts";
import { lookInside, type Inside } from "./kafkajs-inside.ts";
import type { KafkaMember, MemberContext } from "./member.ts";
import { settledWithin } from "./options.ts";

/** With a session timeout of 10 s, the partitions of a crashed member are assigned to other members within 15 s. */
const SESSION_TIMEOUT = 10_000;
const HEARTBEAT_INTERVAL = 1000;
const REBALANCE_TIMEOUT = 10_000;
/** Milliseconds that the broker holds an empty fetch. A pause or the end of the consumer may wait as long. */
const MAX_WAIT = 500;
const MAX_BYTES = 4 << 20;
const MAX_PARTITION_BYTES = 1 << 20;
const CONCURRENT_PARTITIONS = 16;

/** Milliseconds before the next fetch of an offset that the broker doesn't have. */
const OUT_OF_RANGE_PAUSE = 200;

const LEAVE_TIMEOUT = 5000;

export interface KafkaJsParts {
  readonly kafka: Kafka;
  /** Milliseconds. */
  readonly sessionTimeout: number | undefined;
  readonly countPartitions: CountPartitions;
  readonly watermarks: (topic: string) => Promise<readonly Watermarks[]>;
}

/** `group`: also a member without a group has one, whose name is generated. */
type MemberDependencies = KafkaJsParts & Omit<MemberContext, "group"> & { readonly group: string };

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

/** One fetch returns records of several partitions. */
const bytesOfFetch = ({ maxReadBytes = MAX_PARTITION_BYTES }: Pick<SubscribeOptions, "maxReadBytes">) => ({
  maxBytes: Math.min(MAX_BYTES, 4 * maxReadBytes),
  maxBytesPerPartition: Math.min(MAX_PARTITION_BYTES, maxReadBytes),
});

/** The state of one member, shared by the functions of this file. */
interface State {
  readonly holding: Holding;
  readonly sought: Sought;
  assignments: number;
  /** When the latest answered request to the group was sent (`performance.now`). */
  answered: number;
  left: boolean;
  /**
   * kafkajs accepts pause, resume and seek only while the consumer is in the group. At other times the calls are ignored,
   * because the next assignment would cancel their effect.
   */
  joined: boolean;
  starting: Promise<void>;
}

/** Handles the calls that kafkajs makes inside the consumer. */
const createInside = (
  { handlers, events, watermarks }: MemberDependencies,
  state: State,
  seek: KafkaMember["seek"],
): Inside => {
  const { sought, holding } = state;
  const holds = (partition: TopicPartition): boolean => !state.left && isAmong(holding.partitions, partition);
  return {
    // Revokes before the member joins again, because the group accepts its commits only until then.
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
      void events.onUnknown();
    },
    onOutOfRange: async ({ topic, partition }) => {
      if (await events.onUnknown()) {
        await sleep(OUT_OF_RANGE_PAUSE);
        return;
      }
      const marks = await watermarks(topic);
      const low = marks.find((mark) => mark.partition === partition)?.low;
      // The records at the old offset are deleted: continues with the first record that exists.
      if (low !== undefined) seek({ topic, partition, offset: low });
    },
  };
};

const listen = (
  consumer: Consumer,
  state: State,
  { events, startOf }: MemberDependencies,
  seek: KafkaMember["seek"],
) => {
  consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => {
    if (state.left) return;
    state.joined = true;
    state.assignments += 1;
    state.sought.assigned();
    events.onJoined();
    // A pause ends with the assignment in which it was made.
    const paused = consumer.paused();
    if (paused.length > 0) consumer.resume(paused);
    const partitions = partitionsOf(payload.memberAssignment);
    for (const partition of partitions) {
      const offset = startOf(partition);
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

export const createKafkaJsMember = (parts: KafkaJsParts, context: MemberContext): KafkaMember => {
  // A new group for each member, so that it doesn't wait for the session timeout of the previous one.
  const generatedGroup = context.group === undefined ? `stationgate-reader-${randomUUID()}` : undefined;
  const dependencies = { ...parts, ...context, group: context.group ?? generatedGroup ?? "" };
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
    generatedGroup,
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
  // A disconnect during the start wouldn't stop the start.
  const started = state.starting.catch(() => undefined);
  await settledWithin(
    LEAVE_TIMEOUT,
    started.then(() => consumer.disconnect()),
  ).catch(() => undefined);
};

const run = async (
  consumer: Consumer,
  { topics, options: { from } }: Pick<MemberDependencies, "topics" | "options">,
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
