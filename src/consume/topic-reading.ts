/** The partitions of one topic that a reader's group has assigned to this process: where each starts, and its source. */
import type { Broker, SubscribeOptions, SubscriptionHandlers } from "../broker/broker.ts";
import type { TopicPartition, TopicPartitionOffset } from "../broker/positions.ts";
import { asGatewayError } from "../errors.ts";
import { type Clock, pause } from "../lib/clock.ts";
import { endOf, ofPartition, withinLog } from "./marks.ts";
import { createPartitionSource, type PartitionSource, type Read } from "./partition-source.ts";
import type { StartOffsets } from "./start-offsets.ts";

export interface TopicReadingOptions {
  readonly broker: Pick<Broker, "committed" | "watermarks"> & { readonly read: Read };
  readonly clock: Clock;
  readonly group: string;
  readonly topic: string;
  /** Where a partition without a committed offset starts. */
  readonly from: SubscribeOptions["from"];
  readonly maxReadBytes: number;
  readonly handlers: ReadingHandlers;
  /** No record is handed out before the start offsets of its group are kept. */
  readonly starts: StartOffsets;
}

export interface ReadingHandlers extends SubscriptionHandlers {
  /** The leader of a partition has answered a read: `isCurrent` may have become true. */
  onAnswered?(): void;
}

export interface TopicReading {
  readonly assignment: readonly TopicPartition[];
  /** True if there is an assignment, and the leader of each of its partitions has answered a read within the last second. */
  readonly isCurrent: boolean;
  assign(partitions: readonly TopicPartition[]): void;
  /** Stops reading, and waits until the handler has given up the partitions, also those of an earlier call. */
  revoke(): Promise<void>;
  readonly pause: (partitions: readonly TopicPartition[]) => void;
  readonly resume: (partitions: readonly TopicPartition[]) => void;
  readonly seek: (position: TopicPartitionOffset) => void;
}

/** An answer without records is only true if the leader has answered a read within this time. */
const CURRENT_MS = 1000;
const FAULT_PAUSE_MS = 250;

/** The state of one assignment. A new assignment has a new one, so that late answers change nothing. */
interface Assignment {
  readonly partitions: readonly TopicPartition[];
  /** False: between two assignments. */
  readonly isGiven: boolean;
  readonly over: AbortController;
  readonly sources: Map<number, PartitionSource>;
  /** Partitions that were paused or sought before their start was known. */
  readonly paused: Set<number>;
  readonly sought: Map<number, bigint>;
}

const newAssignment = (partitions?: readonly TopicPartition[]): Assignment => ({
  partitions: partitions ?? [],
  isGiven: partitions !== undefined,
  over: new AbortController(),
  sources: new Map(),
  paused: new Set(),
  sought: new Map(),
});

export const createTopicReading = (options: TopicReadingOptions): TopicReading => {
  const { handlers, clock } = options;
  let current = newAssignment();
  let revoked: Promise<unknown> = Promise.resolve();

  const end = (): readonly TopicPartition[] => {
    const { partitions, over, sources } = current;
    over.abort();
    for (const source of sources.values()) source.close();
    current = newAssignment();
    return partitions;
  };

  return {
    get assignment() {
      return current.partitions;
    },
    get isCurrent() {
      const { partitions, sources, isGiven } = current;
      const limit = clock.now() - CURRENT_MS;
      return (
        isGiven && partitions.every(({ partition }) => (sources.get(partition)?.answeredAt ?? 0) >= limit)
      );
    },
    assign: (partitions) => {
      end();
      const assignment = newAssignment(partitions);
      current = assignment;
      handlers.onAssigned?.(partitions);
      void begin(options, assignment);
    },
    revoke: async () => {
      const partitions = end();
      if (partitions.length > 0) revoked = Promise.all([revoked, handlers.onRevoked?.(partitions)]);
      await revoked;
    },
    pause: (partitions) => {
      for (const { partition } of partitions) {
        current.paused.add(partition);
        current.sources.get(partition)?.pause();
      }
    },
    resume: (partitions) => {
      for (const { partition } of partitions) {
        current.paused.delete(partition);
        current.sources.get(partition)?.resume();
      }
    },
    seek: ({ partition, offset }) => {
      current.sought.set(partition, offset);
      current.sources.get(partition)?.seek(offset);
    },
  };
};

/** Starts the sources. Tries again until that succeeds or the assignment is over. */
const begin = async (options: TopicReadingOptions, assignment: Assignment): Promise<void> => {
  const { signal } = assignment.over;
  const isOver = (): boolean => signal.aborted;
  while (!isOver()) {
    try {
      const starts = await startsOf(options, assignment);
      if (isOver()) return;
      for (const { partition, offset } of starts) {
        const source = open(options, assignment, { topic: options.topic, partition, offset });
        if (assignment.paused.has(partition)) source.pause();
        assignment.sources.set(partition, source);
      }
      return;
    } catch (error) {
      if (isOver()) return;
      options.handlers.onError?.(asGatewayError(error));
      await pause(options.clock, FAULT_PAUSE_MS, signal);
    }
  }
};

const open = (
  options: TopicReadingOptions,
  { sought }: Assignment,
  { partition, offset, topic }: TopicPartitionOffset,
): PartitionSource => {
  const { broker, clock, maxReadBytes, handlers } = options;
  return createPartitionSource({
    read: broker.read,
    clock,
    partition: { topic, partition },
    start: sought.get(partition) ?? offset,
    maxReadBytes,
    handlers: {
      onRecords: (records) => {
        handlers.onRecords(records);
      },
      onPassed: (passed) => handlers.onPassed?.({ topic, partition, offset: passed }),
      onAnswered: () => handlers.onAnswered?.(),
      onOutOfRange: (missing) => existingOffset(options, partition, missing),
      onError: (error) => handlers.onError?.(error),
    },
  });
};

/** The committed offsets. Of the partitions without one, the kept start offsets; new ones are kept first. */
const startsOf = async (
  options: TopicReadingOptions,
  { partitions }: Assignment,
): Promise<readonly TopicPartitionOffset[]> => {
  if (partitions.length === 0) return [];
  const { broker, group, topic, starts } = options;
  const committed = new Map(
    (await broker.committed(group, topic)).map(({ partition, offset }) => [partition, offset]),
  );
  const known: TopicPartitionOffset[] = [];
  const missing: TopicPartition[] = [];
  for (const one of partitions) {
    const offset = committed.get(one.partition) ?? starts.kept(one);
    if (offset === undefined) missing.push(one);
    else known.push({ topic, partition: one.partition, offset });
  }
  return missing.length === 0 ? known : [...known, ...(await newStarts(options, missing))];
};

/** Start offsets by `from`. They are kept when the promise resolves. */
const newStarts = async (
  { broker, topic, from, starts }: TopicReadingOptions,
  partitions: readonly TopicPartition[],
): Promise<readonly TopicPartitionOffset[]> => {
  const marks = await broker.watermarks(topic);
  const resolved = partitions.map(({ partition }) => ({
    topic,
    partition,
    offset: endOf(ofPartition(marks, partition), from),
  }));
  await starts.keep(resolved, from);
  return resolved;
};

/**
 * The offset to continue at if the partition doesn't have the group's. Below the first offset the records are deleted, so
 * the first existing one follows. Beyond the last one the topic was created again, or has lost records: the group starts
 * as a new one, with positions of its own.
 */
const existingOffset = async (
  options: TopicReadingOptions,
  partition: number,
  offset: bigint,
): Promise<bigint> => {
  const { broker, topic, handlers } = options;
  const mark = ofPartition(await broker.watermarks(topic), partition);
  const existing = withinLog(mark, offset);
  if (existing !== undefined) return existing;
  const [start] = await newStarts(options, [{ topic, partition }]);
  handlers.onAssigned?.([{ topic, partition }]);
  return start?.offset ?? mark.low;
};
