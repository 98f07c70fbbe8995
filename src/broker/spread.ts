/** Which member of a consumer group gets which partition. */
import type { TopicPartition } from "./broker.ts";

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
