/** A subscription on Kafka: a group member that delivers records at once, and is replaced after a fault. */
import { partitionId } from "../partitions.ts";
import { GatewayError } from "../../errors.ts";
import type {
  SubscribeOptions,
  Subscription,
  SubscriptionHandlers,
  TopicPartition,
  TopicPartitionOffset,
  Watermarks,
} from "../broker.ts";
import type { KafkaMember, MemberContext } from "./member.ts";
import { createSubscribedTopics, type SubscribedTopics, type TopicWatch } from "./topic-watch.ts";
import type { TopicIds } from "./topic-metadata.ts";

const FIRST_PAUSE = 250;
const LONGEST_PAUSE = 5000;

export interface SubscriptionDependencies {
  /** Rejects if no broker answers. */
  readonly newMember: (context: MemberContext) => Promise<KafkaMember>;
  readonly options: SubscribeOptions;
  readonly handlers: SubscriptionHandlers;
  /** Deletes the generated group of a reader without a group. */
  readonly deleteGroup: (group: string) => Promise<void>;
  readonly watermarks: (topic: string) => Promise<readonly Watermarks[]>;
  readonly topicWatch: TopicWatch;
}

const withoutGroup = (): GatewayError =>
  new GatewayError("REQUEST_INVALID", { message: "A reader without a group can't commit" });

const missing = (topic: string): GatewayError =>
  new GatewayError("STATION_UNKNOWN", {
    message: `Topic ${topic} does not exist; reading starts when it is created`,
  });

const tracking = (
  readerPositions: ReaderPositions,
  handlers: SubscriptionHandlers,
): SubscriptionHandlers => ({
  ...handlers,
  // The committed positions of a generated group mean nothing to the reader.
  onStart: () => undefined,
  onRecords: (records) => {
    handlers.onRecords(records);
    const last = records.at(-1);
    if (last !== undefined) readerPositions.passed({ ...last, offset: last.offset + 1n });
  },
  onPassed: (position) => {
    handlers.onPassed?.(position);
    readerPositions.passed(position);
  },
});

/** The state of one subscription, shared by the functions of this file. */
interface Reader extends SubscriptionDependencies {
  readonly readerPositions: ReaderPositions | undefined;
  readonly subscribed: SubscribedTopics;
  /** The generated groups of a reader without a group. */
  readonly groups: Set<string>;
  member: KafkaMember | undefined;
  /** The member that is being replaced. It may still commit, and its end is no fault. */
  leaving: KafkaMember | undefined;
  /** Number of joins in progress. */
  joins: number;
  replacing: Promise<void> | undefined;
  closed: boolean;
  timer: NodeJS.Timeout | undefined;
  pause: number;
}

const createReader = (dependencies: SubscriptionDependencies): Reader => {
  const { options, watermarks, handlers } = dependencies;
  const readerPositions =
    options.group === undefined ? createReaderPositions(options, watermarks) : undefined;
  return {
    ...dependencies,
    readerPositions,
    handlers: readerPositions === undefined ? handlers : tracking(readerPositions, handlers),
    subscribed: createSubscribedTopics(options.topics, (recreated) => {
      readerPositions?.forget(recreated);
      handlers.onRecreated?.(recreated);
    }),
    groups: new Set(),
    member: undefined,
    leaving: undefined,
    joins: 0,
    replacing: undefined,
    closed: false,
    timer: undefined,
    pause: FIRST_PAUSE,
  };
};

/** Reports a fault, leaves the group and joins again after a back-off. */
const rejoinLater = (reader: Reader, cause: unknown): void => {
  if (reader.closed) return;
  reader.handlers.onError?.(new GatewayError("BROKER_UNAVAILABLE", { cause }));
  const lost = reader.member;
  reader.member = undefined;
  void lost?.leave();
  clearTimeout(reader.timer);
  reader.timer = setTimeout(() => void join(reader), reader.pause);
  reader.pause = Math.min(2 * reader.pause, LONGEST_PAUSE);
};

const createJoining = async (reader: Reader, ids: TopicIds): Promise<KafkaMember> => {
  const { options, handlers, readerPositions, subscribed, groups, topicWatch } = reader;
  const joining: KafkaMember = await reader.newMember({
    ...{ options, handlers, ids },
    group: options.group,
    topics: [...ids.keys()],
    startOf: (partition) => subscribed.startOf(partition) ?? readerPositions?.of(partition),
    events: {
      onJoined: () => {
        reader.pause = FIRST_PAUSE;
        if (joining.generatedGroup !== undefined) groups.add(joining.generatedGroup);
      },
      onLost: (cause) => {
        if (reader.member === joining && reader.leaving !== joining) rejoinLater(reader, cause);
      },
      onUnknown: () =>
        topicWatch.look(options.topics).then(
          (found) => replaceIfChanged(reader, found),
          () => false,
        ),
    },
  });
  return joining;
};

const isClosed = (reader: Reader): boolean => reader.closed;

const join = async (reader: Reader): Promise<void> => {
  const { options, handlers, readerPositions, subscribed, topicWatch } = reader;
  reader.joins += 1;
  try {
    await readerPositions?.find();
    const found = await topicWatch.look(options.topics);
    subscribed.begin(found);
    for (const topic of options.topics) if (!found.has(topic)) handlers.onError?.(missing(topic));
    if (isClosed(reader) || found.size === 0) return;
    const joining = await createJoining(reader, found);
    if (isClosed(reader)) return;
    reader.member = joining;
    await joining.start().catch((cause: unknown) => {
      if (reader.member === joining) rejoinLater(reader, cause);
    });
  } catch (cause) {
    rejoinLater(reader, cause);
  } finally {
    reader.joins -= 1;
  }
};

/** Replaces the member with a new one that reads the topics that exist now. */
const replace = async (reader: Reader): Promise<void> => {
  reader.leaving = reader.member;
  await reader.member?.leave();
  reader.member = undefined;
  if (!reader.closed) await join(reader);
  reader.replacing = undefined;
};

/** Replaces the member if the existing topics differ from those that it reads. Returns true if they differ. */
const replaceIfChanged = (reader: Reader, found: TopicIds): boolean => {
  if (reader.closed || !reader.subscribed.haveChanged(found)) return false;
  if (reader.joins === 0 && reader.replacing === undefined) {
    clearTimeout(reader.timer);
    reader.replacing = replace(reader);
  }
  return true;
};

/** Resolves once the first attempt to join has been made. */
export const createSubscription = async (dependencies: SubscriptionDependencies): Promise<Subscription> => {
  const { options, deleteGroup, topicWatch } = dependencies;
  const reader = createReader(dependencies);
  const { readerPositions, subscribed, groups } = reader;
  await join(reader);
  const unwatch = topicWatch.watch(options.topics, (found) => {
    replaceIfChanged(reader, found);
  });
  return {
    get assignment() {
      return reader.member?.assignment ?? [];
    },
    get silence() {
      return reader.member?.silence ?? Infinity;
    },
    pause: (partitions) => reader.member?.pause(partitions),
    resume: (partitions) => reader.member?.resume(partitions),
    seek: (position) => {
      readerPositions?.seek(position);
      reader.member?.seek(position);
    },
    commit: async (positions) => {
      if (readerPositions !== undefined) throw withoutGroup();
      if (reader.member === undefined) throw new GatewayError("BROKER_UNAVAILABLE");
      await reader.member.commit(positions.filter(({ topic }) => subscribed.isRead(topic)));
    },
    close: async () => {
      if (reader.closed) return;
      reader.closed = true;
      unwatch();
      clearTimeout(reader.timer);
      await reader.replacing;
      await reader.member?.leave();
      await Promise.allSettled([...groups].map(deleteGroup));
    },
  };
};

/** The positions of a reader without a group. They outlive its consumer, which is replaced after a fault. */
interface ReaderPositions {
  /** Looks up the offsets that "latest" means. Rejects as `Broker.watermarks` does. */
  find(): Promise<void>;
  /** The next offset to read; undefined: the beginning of the topic. */
  of(partition: TopicPartition): bigint | undefined;
  seek(position: TopicPartitionOffset): void;
  /** All records before this offset have been delivered. */
  passed(position: TopicPartitionOffset): void;
  /** The topic was created again: it is read from offset 0. */
  forget(topic: string): void;
}

/** "latest" in a missing topic means its first record, because the topic will be created later. */
const endsOf = (error: unknown): readonly Watermarks[] => {
  if (error instanceof GatewayError && error.code === "STATION_UNKNOWN") return [];
  throw error;
};

const createReaderPositions = (
  { topics, from }: Pick<SubscribeOptions, "topics" | "from">,
  watermarks: (topic: string) => Promise<readonly Watermarks[]>,
): ReaderPositions => {
  const next = new Map<string, bigint>();
  const recreated = new Set<string>();
  const toFind = new Set(from === "latest" ? topics : []);

  const findOne = async (topic: string): Promise<void> => {
    for (const { partition, high } of await watermarks(topic).catch(endsOf))
      next.set(partitionId({ topic, partition }), high);
    toFind.delete(topic);
  };

  return {
    find: async () => {
      await Promise.all([...toFind].map(findOne));
    },
    // A partition that `find` didn't see was added later, so it is read from offset 0.
    of: (partition) =>
      next.get(partitionId(partition)) ??
      (from === "latest" || recreated.has(partition.topic) ? 0n : undefined),
    seek: (position) => {
      next.set(partitionId(position), position.offset);
    },
    passed: (position) => {
      next.set(partitionId(position), position.offset);
    },
    forget: (topic) => {
      for (const name of [...next.keys()]) if (name.startsWith(`${topic}/`)) next.delete(name);
      recreated.add(topic);
    },
  };
};
