/** Consuming with kafkajs: a group member that hands records over at once, and comes back by itself after every fault. */
import { partitionId } from "../partitions.ts";
import { randomUUID } from "node:crypto";
import type { Kafka } from "kafkajs";
import { GatewayError } from "../../errors.ts";
import type {
  SubscribeOptions,
  Subscription,
  SubscriptionHandlers,
  TopicPartition,
  TopicPartitionOffset,
  Watermarks,
} from "../broker.ts";
import type { CountPartitions } from "./assigner.ts";
import { createKafkaMember, type KafkaMember } from "./kafka-member.ts";
import { createSubscribedTopics, type SubscribedTopics, type TopicWatch } from "./topic-watch.ts";
import type { TopicIds } from "./wire-cluster.ts";

const FIRST_PAUSE = 250;
const LONGEST_PAUSE = 5000;

export interface SubscriptionDependencies {
  readonly kafka: Kafka;
  /** Milliseconds. */
  readonly sessionTimeout: number | undefined;
  readonly options: SubscribeOptions;
  readonly handlers: SubscriptionHandlers;
  /** Forgets a group of a reader that had none of its own. */
  readonly deleteGroup: (group: string) => Promise<void>;
  readonly countPartitions: CountPartitions;
  readonly watermarks: (topic: string) => Promise<readonly Watermarks[]>;
  readonly topicWatch: TopicWatch;
}

const withoutGroup = (): GatewayError =>
  new GatewayError("REQUEST_INVALID", { message: "A reader without a group can't commit" });

const missing = (topic: string): GatewayError =>
  new GatewayError("STATION_UNKNOWN", {
    message: `There is no topic ${topic}; it is read once it is created`,
  });

const remembering = (places: ReaderPlaces, handlers: SubscriptionHandlers): SubscriptionHandlers => ({
  ...handlers,
  // What a reader's group has stored is nobody's position.
  onStart: () => undefined,
  onRecords: (records) => {
    handlers.onRecords(records);
    const last = records.at(-1);
    if (last !== undefined) places.passed({ ...last, offset: last.offset + 1n });
  },
  onPassed: (position) => {
    handlers.onPassed?.(position);
    places.passed(position);
  },
});

/** What the parts of one subscription share. */
interface Reader extends SubscriptionDependencies {
  readonly places: ReaderPlaces | undefined;
  readonly subscribed: SubscribedTopics;
  /** Those of a reader that has none of its own. */
  readonly groups: Set<string>;
  member: KafkaMember | undefined;
  /** It makes room for another one: it may still commit, and its end is no fault. */
  leaving: KafkaMember | undefined;
  /** Joins that are under way. */
  joins: number;
  replacing: Promise<void> | undefined;
  closed: boolean;
  timer: NodeJS.Timeout | undefined;
  pause: number;
}

const createReader = (dependencies: SubscriptionDependencies): Reader => {
  const { options, watermarks, handlers } = dependencies;
  const places = options.group === undefined ? createReaderPlaces(options, watermarks) : undefined;
  return {
    ...dependencies,
    places,
    handlers: places === undefined ? handlers : remembering(places, handlers),
    subscribed: createSubscribedTopics(options.topics, (recreated) => {
      places?.forget(recreated);
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

const again = (reader: Reader, cause: unknown): void => {
  if (reader.closed) return;
  reader.handlers.onError?.(new GatewayError("BROKER_UNAVAILABLE", { cause }));
  const gone = reader.member;
  reader.member = undefined;
  void gone?.leave();
  clearTimeout(reader.timer);
  reader.timer = setTimeout(() => void join(reader), reader.pause);
  reader.pause = Math.min(2 * reader.pause, LONGEST_PAUSE);
};

const createJoining = (reader: Reader, topics: readonly string[]): KafkaMember => {
  const { options, places, subscribed, groups, topicWatch } = reader;
  // In a group of its own a reader that comes back need not wait until its former self is missed.
  const group = options.group ?? `stationgate-reader-${randomUUID()}`;
  const joining: KafkaMember = createKafkaMember({
    ...reader,
    group,
    topics,
    from: options.from,
    placeOf: (partition) => subscribed.placeOf(partition) ?? places?.of(partition),
    events: {
      onJoined: () => {
        reader.pause = FIRST_PAUSE;
        if (places !== undefined) groups.add(group);
      },
      onLost: (cause) => {
        if (reader.member === joining && reader.leaving !== joining) again(reader, cause);
      },
      onDoubt: () =>
        topicWatch.look(options.topics).then(
          (found) => looked(reader, found),
          () => false,
        ),
    },
  });
  return joining;
};

const join = async (reader: Reader): Promise<void> => {
  const { options, handlers, places, subscribed, topicWatch } = reader;
  reader.joins += 1;
  try {
    await places?.find();
    const found = subscribed.begin(await topicWatch.look(options.topics));
    for (const topic of options.topics) if (!found.includes(topic)) handlers.onError?.(missing(topic));
    if (reader.closed || found.length === 0) return;
    const joining = createJoining(reader, found);
    reader.member = joining;
    await joining.start().catch((cause: unknown) => {
      if (reader.member === joining) again(reader, cause);
    });
  } catch (cause) {
    again(reader, cause);
  } finally {
    reader.joins -= 1;
  }
};

/** Other topics exist than those that the member reads: another one takes its place. */
const replace = async (reader: Reader): Promise<void> => {
  reader.leaving = reader.member;
  await reader.member?.leave();
  reader.member = undefined;
  if (!reader.closed) await join(reader);
  reader.replacing = undefined;
};

/** Returns whether other topics exist than those that are read. */
const looked = (reader: Reader, found: TopicIds): boolean => {
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
  const { places, subscribed, groups } = reader;
  await join(reader);
  const unwatch = topicWatch.watch(options.topics, (found) => {
    looked(reader, found);
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
      places?.seek(position);
      reader.member?.seek(position);
    },
    commit: async (positions) => {
      if (places !== undefined) throw withoutGroup();
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

/** Where a reader without a group is: nobody keeps that for it, and its consumer may have to be made anew. */

interface ReaderPlaces {
  /** Finds where "latest" is, as soon as the broker tells it. Rejects as `Broker.watermarks` does. */
  find(): Promise<void>;
  /** The next offset to be read; undefined: where the topic begins. */
  of(partition: TopicPartition): bigint | undefined;
  seek(position: TopicPartitionOffset): void;
  /** Everything before this offset has been handed over. */
  passed(position: TopicPartitionOffset): void;
  /** The topic was created again: all of it comes from now on. */
  forget(topic: string): void;
}

/** A topic that doesn't exist yet has no end behind which to begin: all of it comes later. */
const endsOf = (error: unknown): readonly Watermarks[] => {
  if (error instanceof GatewayError && error.code === "STATION_UNKNOWN") return [];
  throw error;
};

const createReaderPlaces = (
  { topics, from }: Pick<SubscribeOptions, "topics" | "from">,
  watermarks: (topic: string) => Promise<readonly Watermarks[]>,
): ReaderPlaces => {
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
    // A partition that "latest" didn't find has been added since.
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
