/** Commits of a kafkajs consumer, and commits for a group without joining it. */
import { partitionId } from "../partitions.ts";
import { type Connection, offsetCommitV8 } from "./client-library.ts";
import type { Consumer } from "kafkajs";
import { GatewayError } from "../../errors.ts";
import { createSemaphore } from "../../lib/semaphore.ts";
import type { Broker, GroupPosition, TopicPartition } from "../broker.ts";
import { createCommitted, fetchCommitted } from "./committed-offsets.ts";
import { createConnectionPool, createCoordinators, refusalOf } from "./coordinators.ts";
import type { KafkaOptions } from "./options.ts";
import type { WireCluster } from "./wire-cluster.ts";

/** Rejects with BROKER_UNAVAILABLE. */
type Commit = (positions: readonly GroupPosition[]) => Promise<void>;

type Committing = Pick<Consumer, "commitOffsets" | "on" | "events">;

/** The Kafka error name at the root of a kafkajs error. */
const typeOf = (error: unknown): string | undefined => {
  if (!(error instanceof Error)) return undefined;
  const { type, cause } = error as Error & { readonly type?: string };
  return type ?? typeOf(cause);
};

const nameOf = (topic: string, partition: number, offset: bigint | string): string =>
  `${topic}/${partition}/${offset}`;

/**
 * Commits, and checks that kafkajs has made the commit. While a consumer stops, kafkajs resolves a commit without sending
 * it. kafkajs emits an event only for a commit that it has made, before that commit resolves.
 */
export const createCommits = (consumer: Committing): Commit => {
  const inFlight = new Set<Set<string>>();

  consumer.on(consumer.events.COMMIT_OFFSETS, ({ payload }) => {
    for (const { topic, partitions } of payload.topics)
      for (const { partition, offset } of partitions)
        for (const missing of inFlight) missing.delete(nameOf(topic, partition, offset));
  });

  const commitOnce = async (positions: readonly GroupPosition[]): Promise<void> => {
    const missing = new Set(
      positions.map(({ topic, partition, offset }) => nameOf(topic, partition, offset)),
    );
    inFlight.add(missing);
    try {
      await consumer.commitOffsets(
        positions.map(({ offset, metadata = "", ...partition }) => ({
          ...partition,
          offset: offset.toString(),
          metadata,
        })),
      );
    } finally {
      inFlight.delete(missing);
    }
    if (missing.size > 0) throw new GatewayError("BROKER_UNAVAILABLE", { cause: "the consumer has ended" });
  };

  const commit = async (positions: readonly GroupPosition[]): Promise<void> => {
    try {
      await commitOnce(positions);
    } catch (cause) {
      const hasMetadata = positions.some(({ metadata }) => metadata !== undefined);
      if (!hasMetadata || typeOf(cause) !== "OFFSET_METADATA_TOO_LARGE") throw cause;
      await commitOnce(positions.map((position) => ({ ...position, metadata: undefined })));
    }
  };

  return async (positions) => {
    try {
      await commit(positions).catch(async (cause: unknown) => {
        const topics = new Set(positions.map(({ topic }) => topic));
        if (topics.size < 2) throw cause;
        // Commits topic by topic, so that a deleted topic doesn't prevent the commits of the other topics.
        for (const topic of topics)
          await commit(positions.filter((one) => one.topic === topic)).catch(() => undefined);
        throw cause;
      });
    } catch (cause) {
      throw new GatewayError("BROKER_UNAVAILABLE", { cause });
    }
  };
};

export interface MemberLessCommits {
  /**
   * Stores positions without joining the group: an OffsetCommit request without generation and member id, which Kafka
   * refuses if the group has members. This takes one request. kafkajs can only commit as a member, which takes a
   * connection, a join and a leave each time.
   *
   * Rejects with REQUEST_INVALID if the group has members, with PARTITION_UNKNOWN, or with BROKER_UNAVAILABLE.
   */
  readonly commit: Broker["setCommitted"];
  readonly committed: Broker["committed"];
  /** As `fetchCommitted`. */
  readonly positions: (
    group: string,
    partitions: readonly TopicPartition[],
  ) => Promise<readonly GroupPosition[]>;
  close(): Promise<void>;
}

const HAS_MEMBERS = ["UNKNOWN_MEMBER_ID", "STALE_MEMBER_EPOCH"];

/**
 * Kafka answers the requests of a connection one after the other, and delays a commit by a few milliseconds to write it
 * together with other commits (`group.coordinator.append.linger.ms`). In a measurement, 1,000 commits took 7.5 s on one
 * connection and 1 to 2 s on eight. With few commits only the first connection is used; Kafka closes idle connections.
 */
const CONNECTIONS = 8;
/** Requests in flight on each connection. A longer queue would use up the time that a request has for its answer. */
const AT_ONCE = 8;

const NO_GENERATION = -1;
const NO_LEADER_EPOCH = -1;

const failureOf = (cause: unknown): GatewayError => {
  const refusal = refusalOf(cause);
  if (HAS_MEMBERS.includes(refusal)) {
    return new GatewayError("REQUEST_INVALID", { message: "The group has members", cause });
  }
  const isUnknown = refusal === "UNKNOWN_TOPIC_OR_PARTITION";
  return new GatewayError(isUnknown ? "PARTITION_UNKNOWN" : "BROKER_UNAVAILABLE", { cause });
};

const isTooLong = (error: unknown): boolean => refusalOf(error) === "OFFSET_METADATA_TOO_LARGE";

export const partitionsByTopic = (positions: readonly GroupPosition[]) =>
  [...new Set(positions.map(({ topic }) => topic))].map((name) => ({
    name,
    partitions: positions
      .filter(({ topic }) => topic === name)
      .map(({ partition, offset, metadata = "" }) => ({
        partitionIndex: partition,
        committedOffset: offset,
        committedLeaderEpoch: NO_LEADER_EPOCH,
        committedMetadata: metadata,
      })),
  }));

type IsWanted = NonNullable<Parameters<Broker["setCommitted"]>[2]>;

/** Reads the stored offsets and returns the positions that `isWanted` accepts. */
const wantedOf = async (
  connection: Connection,
  group: string,
  positions: readonly GroupPosition[],
  isWanted: IsWanted,
): Promise<readonly GroupPosition[]> => {
  const committed = await fetchCommitted(connection, group, positions);
  const stored = new Map(committed.map((position) => [partitionId(position), position.offset]));
  return positions.filter((position) => isWanted(position, stored.get(partitionId(position))));
};

/** Connects with the first call. `close` doesn't close `cluster`, which finds the coordinators. */
export const createMemberLessCommits = (options: KafkaOptions, cluster: WireCluster): MemberLessCommits => {
  const pool = createConnectionPool(options, CONNECTIONS);
  const coordinators = createCoordinators(options, cluster);
  const semaphore = createSemaphore({ permits: CONNECTIONS * AT_ONCE, maxWaiting: Infinity });

  const ask = <T>(group: string, request: (connection: Connection) => Promise<T>): Promise<T> =>
    coordinators.ask(
      group,
      async (coordinator) =>
        // `tryRun` never refuses a request here, because any number of requests may wait.
        (await semaphore.tryRun(() => pool.use(coordinator, options.requestTimeout, request))) as T,
    );

  const commit = (
    group: string,
    positions: readonly GroupPosition[],
    isWanted: IsWanted | undefined,
  ): Promise<void> =>
    ask(group, async (connection) => {
      const wanted =
        isWanted === undefined ? positions : await wantedOf(connection, group, positions, isWanted);
      if (wanted.length === 0) return;
      const topics = partitionsByTopic(wanted);
      await offsetCommitV8.api.async(connection, group, NO_GENERATION, "", null, topics);
    });

  return {
    commit: async (group, positions, isWanted) => {
      const withoutMetadata = positions.map((position) => ({ ...position, metadata: undefined }));
      try {
        await commit(group, positions, isWanted).catch(async (error: unknown) => {
          if (!isTooLong(error)) throw error;
          await commit(group, withoutMetadata, isWanted);
        });
      } catch (error) {
        throw failureOf(error);
      }
    },
    committed: createCommitted({
      ask,
      partitionCount: async (topic) => (await cluster.partitions(topic))?.length,
    }),
    positions: (group, partitions) =>
      ask(group, (connection) => fetchCommitted(connection, group, partitions)),
    close: () => pool.close(),
  };
};
