/**
 * Watches which topics exist, and their ids, with one request every few seconds for all subscriptions. A kafkajs consumer
 * fails if one of its topics is deleted, and doesn't notice a topic that was deleted and created again.
 */
import type { TopicPartition } from "../broker.ts";
import type { TopicIds } from "./topic-metadata.ts";

export interface TopicWatch {
  /** Asks the broker now. Rejects if no broker answers. */
  look(topics: readonly string[]): Promise<TopicIds>;
  /** Calls `onLook` every few seconds until the returned function is called. */
  watch(topics: readonly string[], onLook: (found: TopicIds) => void): () => void;
}

interface Watcher {
  readonly topics: readonly string[];
  readonly onLook: (found: TopicIds) => void;
}

const INTERVAL_MS = 5000;
/** The interval while a watched topic is missing. */
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
  /** Stores which topics a new member reads, and returns them. Calls `onRecreated` for topics that were created again. */
  begin(found: TopicIds): readonly string[];
  /** True if other topics exist now than the member reads. */
  haveChanged(found: TopicIds): boolean;
  /** True if the member reads the topic and the topic was not created again since. */
  isRead(topic: string): boolean;
  /** 0 for the first call for each partition of a topic that was created again, otherwise undefined. */
  startOf(partition: TopicPartition): bigint | undefined;
}

export const createSubscribedTopics = (
  wanted: readonly string[],
  onRecreated: (topic: string) => void,
): SubscribedTopics => {
  /** The latest known id of each topic. */
  const ids = new Map<string, string>();
  /** Topics that were created again, with the partitions that have been started at offset 0. */
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
    startOf: ({ topic, partition }) => {
      const started = recreated.get(topic);
      if (started === undefined || started.has(partition)) return undefined;
      started.add(partition);
      return 0n;
    },
  };
};
