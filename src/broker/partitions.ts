/**
 * Assigns records to partitions, and partitions to the members of a group. Records follow the rules of Kafka's Java
 * producer, so a key goes to the same partition as with any Kafka client.
 */
import { GatewayError } from "../errors.ts";
import type { BrokerRecord, TopicInfo, TopicPartition, TopicSpec } from "./broker.ts";

/** A map key for a partition. It is unique because no topic name contains a slash. */
export const partitionId = ({ topic, partition }: TopicPartition): string => `${topic}/${partition}`;

/** Throws SETTINGS_INVALID if the topic has another number of partitions than the spec asks for. */
export const requirePartitions = (
  { name, partitions }: TopicSpec,
  has: Pick<TopicInfo, "partitions">,
): void => {
  if (partitions === undefined || partitions === has.partitions) return;
  throw new GatewayError("SETTINGS_INVALID", {
    message: `The topic ${name} must have ${partitions} partitions (it has ${has.partitions}); choose another name for it`,
  });
};

const SEED = 0x9747b28c;
const MULTIPLIER = 0x5bd1e995;

const mix = (word: number): number => {
  const spread = Math.imul(word, MULTIPLIER);
  return Math.imul(spread ^ (spread >>> 24), MULTIPLIER);
};

/** The 32-bit murmur2 of Kafka's `org.apache.kafka.common.utils.Utils.murmur2`, with its seed and its signed result. */
export const murmur2 = (data: Buffer): number => {
  const tail = data.length & ~3;
  let hash = SEED ^ data.length;
  for (let at = 0; at < tail; at += 4) hash = Math.imul(hash, MULTIPLIER) ^ mix(data.readInt32LE(at));
  if (tail < data.length) {
    for (let at = tail; at < data.length; at += 1) hash ^= data.readUInt8(at) << ((at - tail) * 8);
    hash = Math.imul(hash, MULTIPLIER);
  }
  hash = Math.imul(hash ^ (hash >>> 13), MULTIPLIER);
  return hash ^ (hash >>> 15);
};

/** The partition of a key by Kafka's default partitioner: the hash without its sign bit, modulo the partition count. */
export const partitionOfKey = (key: Buffer, partitions: number): number =>
  (murmur2(key) & 0x7fffffff) % partitions;

export interface Partitioner {
  /**
   * Returns the partition of each record, in order; undefined if a record names a partition that the topic doesn't have.
   * All records of a call with neither key nor partition get the same partition; the next call uses the next partition.
   */
  choose(
    topic: { readonly name: string; readonly partitions: number },
    records: readonly BrokerRecord[],
  ): readonly (number | undefined)[];
}

/** The rotation of each topic starts at a random partition, so that several processes don't write to the same one. */
export const createPartitioner = (): Partitioner => {
  const turns = new Map<string, number>();

  const nextShared = (topic: { readonly name: string; readonly partitions: number }): number => {
    const turn = (turns.get(topic.name) ?? Math.floor(Math.random() * topic.partitions)) + 1;
    turns.set(topic.name, turn);
    return turn % topic.partitions;
  };

  return {
    choose: (topic, records) => {
      let shared: number | undefined;
      return records.map(({ key, partition }) => {
        if (partition !== undefined) {
          return Number.isInteger(partition) && partition >= 0 && partition < topic.partitions
            ? partition
            : undefined;
        }
        if (key !== null) return partitionOfKey(key, topic.partitions);
        shared ??= nextShared(topic);
        return shared;
      });
    },
  };
};

/**
 * Assigns each partition to the subscriber of its topic that has the fewest partitions so far; among equals, to the first.
 * `members` maps each member to its topics; members may subscribe to different topics.
 */
export const spread = <Member>(
  members: ReadonlyMap<Member, readonly string[]>,
  partitionsOf: (topic: string) => number,
): ReadonlyMap<Member, readonly TopicPartition[]> => {
  const shares = [...members].map(([member, topics]) => ({ member, topics, held: [] as TopicPartition[] }));
  for (const topic of new Set([...members.values()].flat())) {
    for (let partition = 0; partition < partitionsOf(topic); partition += 1) {
      const [smallest] = shares
        .filter(({ topics }) => topics.includes(topic))
        .sort((a, b) => a.held.length - b.held.length);
      smallest?.held.push({ topic, partition });
    }
  }
  return new Map(shares.map(({ member, held }) => [member, held]));
};
