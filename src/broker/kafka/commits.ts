/** Commits of one consumer of kafkajs, each told as made only where it was. */
import type { Consumer } from "kafkajs";
import { GatewayError } from "../../errors.ts";
import type { TopicPartitionOffset } from "../broker.ts";

/** Rejects with BROKER_UNAVAILABLE. */
export type Commit = (positions: readonly TopicPartitionOffset[]) => Promise<void>;

type Committing = Pick<Consumer, "commitOffsets" | "on" | "events">;

const nameOf = (topic: string, partition: number, offset: bigint | string): string =>
  `${topic}/${partition}/${offset}`;

/**
 * While a consumer comes to its end kafkajs resolves a commit without having made it. What it did make it tells as an
 * event, before it resolves.
 */
export const createCommits = (consumer: Committing): Commit => {
  const underWay = new Set<Set<string>>();

  consumer.on(consumer.events.COMMIT_OFFSETS, ({ payload }) => {
    for (const { topic, partitions } of payload.topics)
      for (const { partition, offset } of partitions)
        for (const missing of underWay) missing.delete(nameOf(topic, partition, offset));
  });

  return async (positions) => {
    const missing = new Set(
      positions.map(({ topic, partition, offset }) => nameOf(topic, partition, offset)),
    );
    underWay.add(missing);
    try {
      await consumer.commitOffsets(
        positions.map(({ offset, ...place }) => ({ ...place, offset: offset.toString() })),
      );
    } catch (cause) {
      throw new GatewayError("BROKER_UNAVAILABLE", { cause });
    } finally {
      underWay.delete(missing);
    }
    if (missing.size > 0) throw new GatewayError("BROKER_UNAVAILABLE", { cause: "the consumer has ended" });
  };
};
