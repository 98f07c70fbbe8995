/**
 * Which topics exist, by their ids, for all subscriptions of a broker together: one request every few seconds. A consumer
 * of kafkajs fails as a whole when one of its topics is gone, and doesn't notice one that was created again.
 */
import type { TopicPartition } from "../broker.ts";
import type { TopicIds } from "./wire-cluster.ts";

export interface TopicWatch {
  /** Asks now. Rejects as the broker is away. */
  look(topics: readonly string[]): Promise<TopicIds>;
  /** Asks for these topics every few seconds, until the function that it returns is called. */
  watch(topics: readonly string[], onLook: (found: TopicIds) => void): () => void;
}

interface Watcher {
  readonly topics: readonly string[];
  readonly onLook: (found: TopicIds) => void;
}

const INTERVAL_MS = 5000;
/** While a topic that somebody waits for is missing. */
const MISSING_MS = 1000;

export const createTopicWatch = (ask: (topics: readonly string[]) => Promise<TopicIds>): TopicWatch => {
  const watchers = new Set<Watcher>();
  let timer: NodeJS.Timeout | undefined;

  const lookForAll = async (): Promise<boolean> => {
    const topics = [...new Set([...watchers].flatMap((watcher) => watcher.topics))];
    const found = await ask(topics);
    for (const { onLook } of watchers) onLook(found);
    return topics.every((topic) => found.has(topic));
  };

  const lookLater = (ms: number): void => {
    clearTimeout(timer);
    timer = watchers.size === 0 ? undefined : setTimeout(() => void again(), ms).unref();
  };

  const again = async (): Promise<void> => {
    const complete = await lookForAll().catch(() => true);
    lookLater(complete ? INTERVAL_MS : MISSING_MS);
  };

  return {
    look: ask,
    watch: (topics, onLook) => {
      const watcher = { topics, onLook };
      watchers.add(watcher);
      if (timer === undefined) lookLater(MISSING_MS);
      return () => {
        watchers.delete(watcher);
        if (watchers.size === 0) lookLater(0);
      };
    },
  };
};

/** The topics of one subscription: which of them exist, and which were deleted and created again. */

export interface SubscribedTopics {
  /** Begins with what exists now, and returns it. Tells of topics that were created again. */
  begin(found: TopicIds): readonly string[];
  /** Exists other than what was begun with? */
  haveChanged(found: TopicIds): boolean;
  /** Is the topic, as far as is known, still the one that was begun with? */
  isRead(topic: string): boolean;
  /** Where a partition that was created again is to be read from, once; undefined: as if nothing had happened. */
  placeOf(partition: TopicPartition): bigint | undefined;
}

export const createSubscribedTopics = (
  wanted: readonly string[],
  onRecreated: (topic: string) => void,
): SubscribedTopics => {
  /** The last id of each topic that has ever been seen. */
  const ids = new Map<string, string>();
  /** Partitions of topics that were created again, as far as they have been begun with. */
  const recreated = new Map<string, Set<number>>();
  let read: readonly string[] = [];
  let newest: TopicIds = new Map();

  const isSame = (topic: string): boolean => ids.get(topic) === newest.get(topic);

  return {
    begin: (found) => {
      newest = found;
      read = wanted.filter((topic) => found.has(topic));
      for (const topic of read) {
        const before = ids.get(topic);
        ids.set(topic, found.get(topic) ?? "");
        if (before === undefined || before === found.get(topic)) continue;
        recreated.set(topic, new Set());
        onRecreated(topic);
      }
      return read;
    },
    haveChanged: (found) => {
      newest = found;
      return wanted.some((topic) => found.has(topic) !== read.includes(topic)) || !read.every(isSame);
    },
    isRead: (topic) => read.includes(topic) && isSame(topic),
    placeOf: ({ topic, partition }) => {
      const begun = recreated.get(topic);
      if (begun === undefined || begun.has(partition)) return undefined;
      begun.add(partition);
      return 0n;
    },
  };
};
