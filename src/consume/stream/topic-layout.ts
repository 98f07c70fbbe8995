/** Looks up the topic's id and the ends of its partitions. Streams that open at the same time share a lookup. */
import type { Broker, Watermarks } from "../../broker/broker.ts";
import { GatewayError } from "../../errors.ts";

export interface TopicLayout {
  /** As `Broker.topicId`. */
  readonly topicId: string;
  /** By partition, without gaps. */
  readonly ends: readonly Watermarks[];
}

/** The lookup begins after the call. Rejects with STATION_UNKNOWN or BROKER_UNAVAILABLE. */
export type LookUp = () => Promise<TopicLayout>;

/** `onFound` is called before the lookup resolves. */
export const createLookUp = (
  topic: string,
  broker: Pick<Broker, "topicId" | "watermarks">,
  onFound: (layout: TopicLayout) => void,
): LookUp => {
  let running: Promise<TopicLayout> | undefined;
  let next: Promise<TopicLayout> | undefined;

  const look = async (): Promise<TopicLayout> => {
    const topicId = await broker.topicId(topic);
    if (topicId === undefined) throw new GatewayError("STATION_UNKNOWN");
    const ends = (await broker.watermarks(topic)).toSorted((a, b) => a.partition - b.partition);
    // A partition without a leader may be missing.
    if (ends.length === 0 || ends.some(({ partition }, index) => partition !== index))
      throw new GatewayError("BROKER_UNAVAILABLE", { cause: "the ends of some partitions are unknown" });
    const layout = { topicId, ends };
    onFound(layout);
    return layout;
  };

  const begin = (): Promise<TopicLayout> => {
    const begun = look().finally(() => {
      if (running === begun) running = undefined;
    });
    running = begun;
    return begun;
  };

  return () => {
    if (running === undefined) return begin();
    next ??= running
      .catch(() => undefined)
      .then(() => {
        next = undefined;
        return begin();
      });
    return next;
  };
};
