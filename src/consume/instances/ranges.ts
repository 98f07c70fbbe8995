/** Divides the partitions that a group has assigned to its home among the instances of the group. */
import type { TopicPartition } from "../../broker/positions.ts";
import { rangesOf } from "../range-assignor.ts";
import type { Instance } from "./instance.ts";
import type { NamedPartition } from "./requests.ts";

type Reading = Pick<Instance, "name" | "topics">;

/** As Kafka's assignor `range`, by the names of the instances. */
export const rangesAmong = (
  instances: Iterable<Reading>,
  assigned: readonly TopicPartition[],
): ReadonlyMap<string, readonly TopicPartition[]> => {
  const topicsOf = new Map(
    [...instances].map(({ name, topics }) => [name, topics.map(({ topic }) => topic)]),
  );
  const ofTopic = new Map<string, number[]>();
  for (const { topic, partition } of assigned) {
    const partitions = ofTopic.get(topic) ?? [];
    partitions.push(partition);
    ofTopic.set(topic, partitions);
  }
  for (const [topic, partitions] of ofTopic) {
    partitions.sort((a, b) => a - b);
    if (![...topicsOf.values()].some((topics) => topics.includes(topic))) ofTopic.delete(topic);
  }
  const ranges = rangesOf(topicsOf, new Map([...ofTopic].map(([topic, { length }]) => [topic, length])));
  return new Map(
    [...ranges].map(([name, range]) => [
      name,
      range.map(({ topic, partition: index }) => ({
        topic,
        partition: ofTopic.get(topic)?.[index] ?? index,
      })),
    ]),
  );
};

/** The partitions of an instance: those that are assigned to it by hand, or its range. */
export const partitionsOf = (
  { subscription, topics }: Pick<Instance, "subscription" | "topics">,
  range: readonly TopicPartition[],
): readonly NamedPartition[] => {
  if (subscription.kind === "assigned") return subscription.partitions;
  return range.flatMap((one) => {
    const named = topics.find(({ topic }) => topic === one.topic);
    return named === undefined ? [] : [{ ...named, ...one }];
  });
};
