/** Where a reader without a group is: nobody keeps that for it, and its consumer may have to be made anew. */
import { GatewayError } from "../../errors.ts";
import type { SubscribeOptions, TopicPartition, TopicPartitionOffset, Watermarks } from "../broker.ts";

export interface ReaderPlaces {
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

const nameOf = ({ topic, partition }: TopicPartition): string => `${topic}/${partition}`;

/** A topic that doesn't exist yet has no end behind which to begin: all of it comes later. */
const endsOf = (error: unknown): readonly Watermarks[] => {
  if (error instanceof GatewayError && error.code === "STATION_UNKNOWN") return [];
  throw error;
};

export const createReaderPlaces = (
  { topics, from }: Pick<SubscribeOptions, "topics" | "from">,
  watermarks: (topic: string) => Promise<readonly Watermarks[]>,
): ReaderPlaces => {
  const next = new Map<string, bigint>();
  const recreated = new Set<string>();
  const toFind = new Set(from === "latest" ? topics : []);

  const findOne = async (topic: string): Promise<void> => {
    for (const { partition, high } of await watermarks(topic).catch(endsOf))
      next.set(nameOf({ topic, partition }), high);
    toFind.delete(topic);
  };

  return {
    find: async () => {
      await Promise.all([...toFind].map(findOne));
    },
    // A partition that "latest" didn't find has been added since.
    of: (partition) =>
      next.get(nameOf(partition)) ?? (from === "latest" || recreated.has(partition.topic) ? 0n : undefined),
    seek: (position) => {
      next.set(nameOf(position), position.offset);
    },
    passed: (position) => {
      next.set(nameOf(position), position.offset);
    },
    forget: (topic) => {
      for (const name of [...next.keys()]) if (name.startsWith(`${topic}/`)) next.delete(name);
      recreated.add(topic);
    },
  };
};
