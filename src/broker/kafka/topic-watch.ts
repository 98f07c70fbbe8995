/**
 * Which topics exist, by their ids, for all subscriptions of a broker together: one request every few seconds. A consumer
 * of kafkajs fails as a whole when one of its topics is gone, and doesn't notice one that was created again.
 */
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
