/** Which partition a record goes to: the rules of Kafka's Java producer, so that keys meet wherever they come from. */
import type { BrokerRecord, TopicPartition } from "./broker.ts";

/** A key of maps: unique, because no topic's name has a slash. */
export const partitionId = ({ topic, partition }: TopicPartition): string => `${topic}/${partition}`;

const SEED = 0x9747b28c;
const MULTIPLIER = 0x5bd1e995;

const mix = (word: number): number => {
  const spread = Math.imul(word, MULTIPLIER);
  return Math.imul(spread ^ (spread >>> 24), MULTIPLIER);
};

/** The 32-bit murmur2 of Kafka's `org.apache.kafka.common.utils.Utils.murmur2`: its seed, a signed result. */
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

/** The partition of a key, as Kafka's default partitioner finds it: the hash without its sign, modulo. */
const partitionOfKey = (key: Buffer, partitions: number): number => (murmur2(key) & 0x7fffffff) % partitions;

export interface Partitioner {
  /**
   * The partition of each record, in order; undefined where a record asks for one that the topic doesn't have.
   * Records with neither key nor partition share one, and the next call takes the next.
   */
  choose(
    topic: { readonly name: string; readonly partitions: number },
    records: readonly BrokerRecord[],
  ): readonly (number | undefined)[];
}

/** A partitioner with its own rotation, which begins anywhere so that several processes don't march in step. */
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

/** Which member of a consumer group gets which partition. */

/**
 * Deals partitions out one by one, each to the subscriber of its topic that has the fewest; of two that have the same,
 * to the one that comes first. Members may ask for different topics. `members`: what each of them asks for.
 */
export const spread = <Member>(
  members: ReadonlyMap<Member, readonly string[]>,
  partitionsOf: (topic: string) => number,
): ReadonlyMap<Member, readonly TopicPartition[]> => {
  const hands = [...members].map(([member, topics]) => ({ member, topics, held: [] as TopicPartition[] }));
  for (const topic of new Set([...members.values()].flat())) {
    for (let partition = 0; partition < partitionsOf(topic); partition += 1) {
      const [poorest] = hands
        .filter(({ topics }) => topics.includes(topic))
        .sort((mine, theirs) => mine.held.length - theirs.held.length);
      poorest?.held.push({ topic, partition });
    }
  }
  return new Map(hands.map(({ member, held }) => [member, held]));
};
