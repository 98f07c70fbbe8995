/** Commits of one consumer of kafkajs, each told as made only where it was. */
import type { Consumer } from "kafkajs";
import { GatewayError } from "../../errors.ts";
import type { GroupPosition } from "../broker.ts";

/** Rejects with BROKER_UNAVAILABLE. */
export type Commit = (positions: readonly GroupPosition[]) => Promise<void>;

type Committing = Pick<Consumer, "commitOffsets" | "on" | "events">;

/** The protocol's error that lies at the bottom of one of kafkajs's. */
const typeOf = (error: unknown): string | undefined => {
  if (!(error instanceof Error)) return undefined;
  const { type, cause } = error as Error & { readonly type?: string };
  return type ?? typeOf(cause);
};

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

  const commitOnce = async (positions: readonly GroupPosition[]): Promise<void> => {
    const missing = new Set(
      positions.map(({ topic, partition, offset }) => nameOf(topic, partition, offset)),
    );
    underWay.add(missing);
    try {
      await consumer.commitOffsets(
        positions.map(({ offset, metadata = "", ...place }) => ({
          ...place,
          offset: offset.toString(),
          metadata,
        })),
      );
    } finally {
      underWay.delete(missing);
    }
    if (missing.size > 0) throw new GatewayError("BROKER_UNAVAILABLE", { cause: "the consumer has ended" });
  };

  const commit = async (positions: readonly GroupPosition[]): Promise<void> => {
    try {
      await commitOnce(positions);
    } catch (cause) {
      const hasMetadata = positions.some(({ metadata }) => metadata !== undefined);
      if (!hasMetadata || typeOf(cause) !== "OFFSET_METADATA_TOO_LARGE") throw cause;
      await commitOnce(positions.map((position) => ({ ...position, metadata: undefined })));
    }
  };

  return async (positions) => {
    try {
      await commit(positions).catch(async (cause: unknown) => {
        const topics = new Set(positions.map(({ topic }) => topic));
        if (topics.size < 2) throw cause;
        // A topic that is gone must not keep the positions of the others from being stored.
        for (const topic of topics)
          await commit(positions.filter((one) => one.topic === topic)).catch(() => undefined);
        throw cause;
      });
    } catch (cause) {
      throw new GatewayError("BROKER_UNAVAILABLE", { cause });
    }
  };
};
