/**
 * Committed offsets, through the gateway's own OffsetFetch request. kafkajs asks only for the partitions that its metadata
 * lists, so after a fault a partition with a committed offset could look like one without.
 */
import { type Connection, offsetFetchV8 } from "./client-library.ts";
import { GatewayError } from "../../errors.ts";
import type { Broker, GroupPosition, TopicPartition } from "../broker.ts";
import { partitionId } from "../partitions.ts";
import { refusalsOf } from "./coordinators.ts";

type Answer = Awaited<ReturnType<typeof offsetFetchV8.api.async>>;

/** The request version has no such field, but the library requires it. */
const NO_EPOCH = -1;
/** Otherwise Kafka answers with the older offset while a transaction that commits a later one ends. */
const REQUIRE_STABLE = true;

const topicsOf = (partitions: readonly TopicPartition[]) =>
  [...new Set(partitions.map(({ topic }) => topic))].map((name) => ({
    name,
    partitionIndexes: partitions.filter(({ topic }) => topic === name).map(({ partition }) => partition),
  }));

const positionsOf = ({ groups }: Answer): readonly GroupPosition[] =>
  groups.flatMap(({ topics }) =>
    topics.flatMap(({ name: topic, partitions }) =>
      partitions.map(({ partitionIndex: partition, committedOffset: offset, metadata }) => ({
        ...{ topic, partition, offset },
        ...(metadata ? { metadata } : undefined),
      })),
    ),
  );

/**
 * The committed positions of the group in these partitions, without the partitions that have none; `partitions` undefined:
 * all positions of the group. `connection`: to the group's coordinator.
 *
 * A partition has none only if the answer says so. Rejects with the coordinator's error, and with BROKER_UNAVAILABLE if the
 * answer lacks a partition.
 */
export const fetchCommitted = async (
  connection: Connection,
  group: string,
  partitions: readonly TopicPartition[] | undefined,
): Promise<readonly GroupPosition[]> => {
  const topics = partitions === undefined ? null : topicsOf(partitions);
  const request = { groupId: group, memberEpoch: NO_EPOCH, topics };
  const found = positionsOf(await offsetFetchV8.api.async(connection, [request], REQUIRE_STABLE));
  const answered = new Set(found.map(partitionId));
  const missing = partitions?.find((partition) => !answered.has(partitionId(partition)));
  if (missing !== undefined)
    throw new GatewayError("BROKER_UNAVAILABLE", {
      cause: `the coordinator's answer lacks ${partitionId(missing)}`,
    });
  return found.filter(({ offset }) => offset >= 0n);
};

interface CommittedParts {
  /** Runs the request on a connection to the group's coordinator, as `Coordinators.ask`. */
  readonly ask: <T>(group: string, request: (connection: Connection) => Promise<T>) => Promise<T>;
  /** The length of `WireCluster.partitions`. */
  readonly partitionCount: (topic: string) => Promise<number | undefined>;
}

const failureOf = (cause: unknown): GatewayError => {
  const isRefused = refusalsOf(cause).includes("TOPIC_AUTHORIZATION_FAILED");
  return new GatewayError(isRefused ? "TOPIC_REFUSED" : "BROKER_UNAVAILABLE", { cause });
};

/** Rejects with TOPIC_REFUSED if the gateway may not describe the topic, and with BROKER_UNAVAILABLE. */
export const createCommitted =
  ({ ask, partitionCount }: CommittedParts): Broker["committed"] =>
  async (group, topic) => {
    try {
      const count = await partitionCount(topic);
      // A broker may not know a new topic yet. Then the coordinator returns what it has of the group.
      const partitions =
        count === undefined
          ? undefined
          : Array.from({ length: count }, (_, partition) => ({ topic, partition }));
      const found = await ask(group, (connection) => fetchCommitted(connection, group, partitions));
      return found
        .filter((position) => position.topic === topic)
        .sort((one, other) => one.partition - other.partition);
    } catch (error) {
      throw error instanceof GatewayError ? error : failureOf(error);
    }
  };
