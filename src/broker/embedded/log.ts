/** The open log: topics, partitions and positions, on one LMDB environment and one commit loop. */
import { setTimeout as delay } from "node:timers/promises";
import { GatewayError } from "../../errors.ts";
import type { TopicPartition } from "../broker.ts";
import { createPositions, type LocalStore, type LocalTopic, type Positions } from "../local/store.ts";
import { type CommitLoop, createCommitLoop } from "./commit-loop.ts";
import { type Environment, PAGE_BYTES } from "./environment.ts";
import { openPartitionLog, type PartitionLog } from "./partition-log.ts";
import type { StoredBatch } from "./stored-batches.ts";

export interface Log extends Omit<LocalStore, "open" | "retain"> {
  /** All partitions. */
  readonly partitions: () => readonly PartitionLog[];
  /** Removes batches that `oldest` of the partition has returned. Rejects as `append` does. */
  readonly free: (log: PartitionLog, batches: readonly StoredBatch[]) => Promise<void>;
}

interface OpenTopic extends LocalTopic {
  readonly id: number;
  readonly logs: readonly PartitionLog[];
}

const CHECK_MS = 1500;

const openTopic = (environment: Environment, id: number, topic: LocalTopic): OpenTopic => ({
  ...topic,
  id,
  logs: Array.from({ length: topic.partitions }, (_, partition) =>
    openPartitionLog(environment, id, { topic: topic.name, partition }),
  ),
});

const storedTopics = (environment: Environment): Map<string, OpenTopic> =>
  new Map(
    [...environment.databases.topics.getRange()].map(
      ({ key: name, value: { id, uuid = `topic-${id}`, ...topic } }) => [
        name,
        openTopic(environment, id, { name, uuid, ...topic }),
      ],
    ),
  );

/** Checks the disk space. After a failed commit it also makes a test commit, which shows whether the disk works again. */
const checkDisk = async (environment: Environment, loop: CommitLoop): Promise<void> => {
  await environment.checkSpace();
  if (loop.healthy()) return;
  const timer = new AbortController();
  const probe = loop.submit({
    bytes: PAGE_BYTES,
    stage: () => void environment.databases.meta.put("probed", Date.now()),
    applied: () => undefined,
  });
  const late = delay(CHECK_MS, undefined, { signal: timer.signal }).then(() => {
    throw new GatewayError("BROKER_UNAVAILABLE");
  });
  try {
    await Promise.race([probe, late]);
  } catch (error) {
    throw new GatewayError("BROKER_UNAVAILABLE", { cause: error });
  } finally {
    timer.abort();
  }
};

const createTopicIn = (
  environment: Environment,
  loop: CommitLoop,
  topics: Map<string, OpenTopic>,
): Log["createTopic"] => {
  let lastId = Math.max(0, ...[...topics.values()].map(({ id }) => id));

  return (topic) => {
    lastId += 1;
    const id = lastId;
    const { name, ...stored } = topic;
    return loop.submit({
      bytes: PAGE_BYTES,
      stage: () => void environment.databases.topics.put(name, { id, ...stored }),
      applied: () => {
        topics.set(name, openTopic(environment, id, topic));
      },
    });
  };
};

/**
 * Opens the log of an environment; the log's `close` closes the environment too. `deliveryTimeout`: milliseconds after
 * which an append to a hanging disk fails.
 */
export const openLog = (environment: Environment, deliveryTimeout: number): Log => {
  const topics = storedTopics(environment);
  const reset = (): void => {
    for (const { logs } of topics.values()) for (const log of logs) log.reset();
  };
  environment.onReopened(reset);
  const loop = createCommitLoop({
    admit: environment.admit,
    commit: environment.commit,
    stallAfter: deliveryTimeout,
    onFailure: reset,
  });

  const logOf = ({ topic, partition }: TopicPartition): PartitionLog => {
    const log = topics.get(topic)?.logs[partition];
    if (log === undefined) throw new GatewayError("PARTITION_UNKNOWN");
    return log;
  };

  return {
    check: () => checkDisk(environment, loop),
    topics: () => topics,
    createTopic: createTopicIn(environment, loop, topics),
    append: (to, records) => loop.submit(logOf(to).adding(records)),
    ends: (of) => ({ low: logOf(of).low(), high: logOf(of).high() }),
    partitions: () => [...topics.values()].flatMap(({ logs }) => logs),
    free: (log, batches) => loop.submit(log.freeing(batches)),
    read: (from, limit) => logOf(from).read(from.offset, limit),
    ...openPositions(environment, loop),
    close: async () => {
      await loop.close();
      await environment.close();
    },
  };
};

/** An LMDB key has at most 1978 bytes, and the topic and the partition must fit in too. */
const LONGEST_GROUP_BYTES = 1500;

const storedPositions = ({ databases }: Environment): Positions => {
  const stored = createPositions();
  for (const { key, value } of databases.positions.getRange()) {
    const [group, topic, partition] = key;
    const [offset, metadata] = typeof value === "number" ? [value] : value;
    stored.set(group, [{ topic, partition, offset: BigInt(offset), metadata }]);
  }
  return stored;
};

/** The committed positions, cached in memory. Changes go through the commit loop. */
const openPositions = (
  environment: Environment,
  loop: CommitLoop,
): Pick<LocalStore, "positions" | "savePositions" | "deletePositions"> => {
  const known = storedPositions(environment);

  return {
    positions: known.of,
    savePositions: (group, positions) => {
      if (Buffer.byteLength(group) > LONGEST_GROUP_BYTES) {
        return Promise.reject(
          new GatewayError("REQUEST_INVALID", {
            message: `The group's name has more than ${LONGEST_GROUP_BYTES} bytes`,
          }),
        );
      }
      return loop.submit({
        purpose: "positions",
        bytes: positions.length * PAGE_BYTES,
        stage: () => {
          for (const { topic, partition, offset, metadata } of positions) {
            const value = metadata === undefined ? Number(offset) : ([Number(offset), metadata] as const);
            void environment.databases.positions.put([group, topic, partition], value);
          }
        },
        applied: () => {
          known.set(group, positions);
        },
      });
    },
    deletePositions: (group) =>
      loop.submit({
        purpose: "positions",
        bytes: known.of(group).length * PAGE_BYTES,
        stage: () => {
          for (const { topic, partition } of known.of(group)) {
            void environment.databases.positions.remove([group, topic, partition]);
          }
        },
        applied: () => {
          known.delete(group);
        },
      }),
  };
};
