/** The topics of one subscription: which of them exist, and which were deleted and created again. */
import type { TopicPartition } from "../broker.ts";
import type { TopicIds } from "./wire-cluster.ts";

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
