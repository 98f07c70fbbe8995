import type { Broker } from "../../broker/broker.ts";
import type { Clock } from "../../lib/clock.ts";
import type { Claim } from "./claims.ts";

export interface Lag {
  /** Number of stored records without final outcome. */
  readonly records: number;
  /** Age of the oldest read record without final outcome. 0: there is no such record. */
  readonly seconds: number;
}

export interface ConnectorSample {
  readonly connector: string;
  readonly inFlight: number;
  /** Number of records that wait for the time of their next attempt. */
  readonly waiting: number;
  readonly lag: Lag;
}

/** Lag of the partitions that are assigned to this member. Rejects with BROKER_UNAVAILABLE. */
export const lagOf = async (
  broker: Pick<Broker, "watermarks">,
  clock: Clock,
  claims: readonly Claim[],
): Promise<Lag> => {
  const topics = [...new Set(claims.map(({ topic }) => topic))];
  const marks = new Map(
    await Promise.all(topics.map(async (topic) => [topic, await broker.watermarks(topic)] as const)),
  );
  const behind = claims.map(({ topic, partition, tracker }) => {
    const high = marks.get(topic)?.find((watermarks) => watermarks.partition === partition)?.high;
    const position = tracker.position();
    return high === undefined || position === undefined ? 0 : Math.max(0, Number(high - position));
  });
  const oldest = Math.min(...claims.map(({ tracker }) => tracker.oldest() ?? Infinity));
  return {
    records: behind.reduce((sum, records) => sum + records, 0),
    seconds: oldest === Infinity ? 0 : Math.max(0, (clock.now() - oldest) / 1000),
  };
};
