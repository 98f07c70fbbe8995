/** Where partitions of a member are read from, as far as it isn't the position that the group has stored. */
import type { TopicPartition, TopicPartitionOffset } from "../broker.ts";

export interface Sought {
  /** Partitions were assigned: where earlier ones were sent is over. */
  assigned(): void;
  seek(position: TopicPartitionOffset): void;
  /** Was it sent anywhere since it was assigned? */
  has(partition: TopicPartition): boolean;
  /** The broker is asked for records from there on. */
  fetching(position: TopicPartitionOffset): void;
  /** The partition was sent elsewhere, and nothing has been asked for from there on: an answer is an old one. */
  isStale(partition: TopicPartition): boolean;
}

const idOf = ({ topic, partition }: TopicPartition): string => `${topic}/${partition}`;

export const createSought = (): Sought => {
  /** Sought, and not asked for yet. */
  const pending = new Map<string, bigint>();
  const sought = new Set<string>();
  return {
    assigned: () => {
      pending.clear();
      sought.clear();
    },
    seek: (position) => {
      pending.set(idOf(position), position.offset);
      sought.add(idOf(position));
    },
    has: (partition) => sought.has(idOf(partition)),
    fetching: (position) => {
      if (pending.get(idOf(position)) === position.offset) pending.delete(idOf(position));
    },
    isStale: (partition) => pending.has(idOf(partition)),
  };
};
