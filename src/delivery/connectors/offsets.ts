/** Reads and sets the offsets of a connector, in the form of Kafka Connect's sink connector offsets. */
import type { Broker, TopicPartition, TopicPartitionOffset, Watermarks } from "../../broker/broker.ts";
import { GatewayError } from "../../errors.ts";
import type { Clock } from "../../lib/clock.ts";
import { groupOf } from "./plan.ts";
import { existingTopics, type TopicSelection } from "../engine/delivery-plan.ts";

/**
 * The new position of a partition. An offset before the first record counts as the first record. A timestamp means the
 * first record that is not older, or the end if there is no such record. null: the beginning.
 */
export interface OffsetRequest extends TopicPartition {
  readonly to: { readonly offset: bigint } | { readonly timestamp: number } | null;
}

export interface OffsetsView {
  readonly offsets: readonly {
    readonly partition: { readonly kafka_topic: string; readonly kafka_partition: number };
    readonly offset: { readonly kafka_offset: number };
  }[];
}

export interface ConnectorOffsets {
  view(connector: string, topics: TopicSelection): Promise<OffsetsView>;
  alter(connector: string, requests: readonly OffsetRequest[]): Promise<void>;
  reset(connector: string): Promise<void>;
}

/** After a stop, the members need some time to leave the group. */
const LEAVE_TRIES = 20;
const LEAVE_MS = 500;

export const createConnectorOffsets = (broker: Broker, clock: Clock): ConnectorOffsets => {
  const retryWhileMembersLeave = async (work: () => Promise<void>): Promise<void> => {
    for (let tries = 1; ; tries += 1) {
      try {
        await work();
        return;
      } catch (error) {
        if (tries === LEAVE_TRIES) throw error;
        await new Promise<void>((resolve) => clock.after(LEAVE_MS, resolve));
      }
    }
  };

  const invalid = (message: string): GatewayError => new GatewayError("REQUEST_INVALID", { message });

  const marksOf = async ({ topic, partition }: TopicPartition): Promise<Watermarks> => {
    const info = await broker.topic(topic);
    const marks = info && (await broker.watermarks(topic)).find((one) => one.partition === partition);
    if (marks === undefined) throw invalid(`Partition ${topic}-${partition} does not exist`);
    return marks;
  };

  /** A position past the end is refused, because Kafka would reset it and the group would start at the beginning. */
  const resolve = async ({ topic, partition, to }: OffsetRequest): Promise<TopicPartitionOffset> => {
    const { low, high } = await marksOf({ topic, partition });
    if (to === null) return { topic, partition, offset: low };
    if ("offset" in to) {
      if (to.offset > high)
        throw invalid(
          `Offset ${to.offset} is past the end of partition ${topic}-${partition}; the maximum is ${high}`,
        );
      return { topic, partition, offset: to.offset < low ? low : to.offset };
    }
    const found = await broker.offsetsAt(topic, to.timestamp);
    const offset = found.find((position) => position.partition === partition)?.offset;
    return { topic, partition, offset: offset ?? high };
  };

  const requireDistinct = (requests: readonly OffsetRequest[]): void => {
    const seen = new Set<string>();
    for (const { topic, partition } of requests) {
      const id = `${topic}-${partition}`;
      if (seen.has(id)) throw invalid(`Partition ${id} has two offsets in the request; send one`);
      seen.add(id);
    }
  };

  return {
    view: async (connector, selection) => {
      const topics = await existingTopics(broker, selection);
      const positions = await Promise.all(topics.map((topic) => broker.committed(groupOf(connector), topic)));
      return {
        offsets: positions.flat().map(({ topic, partition, offset }) => ({
          partition: { kafka_topic: topic, kafka_partition: partition },
          offset: { kafka_offset: Number(offset) },
        })),
      };
    },
    alter: async (connector, requests) => {
      requireDistinct(requests);
      const positions = await Promise.all(requests.map(resolve));
      await retryWhileMembersLeave(() => broker.setCommitted(groupOf(connector), positions));
    },
    reset: (connector) => retryWhileMembersLeave(() => broker.deleteGroup(groupOf(connector))),
  };
};
