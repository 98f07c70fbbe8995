/** The partitions of topics and their leaders, read once a second at most. */
import type { Broker } from "../broker/broker.ts";
import { GatewayError } from "../errors.ts";
import type { Clock } from "../lib/clock.ts";
import type { TopicView } from "./slot-core/port.ts";

export interface TopicViews {
  /** Rejects with STATION_UNKNOWN or BROKER_UNAVAILABLE. Calls that come while the topic is being read get the same view. */
  view(topic: string): Promise<TopicView>;
  /** The topic is gone: the next call of `view` reads it again. */
  forget(topic: string): void;
}

const FRESH_MS = 1000;
/** Above this number of topics, the oldest view is dropped. */
const MAX_TOPICS = 10_000;

export const createTopicViews = (
  broker: Pick<Broker, "partitions" | "topicId">,
  clock: Pick<Clock, "monotonic">,
): TopicViews => {
  /** `until`: infinite while the topic is being read. */
  const views = new Map<string, { until: number; readonly view: Promise<TopicView> }>();

  const read = async (name: string): Promise<TopicView> => {
    const [id, partitions] = await Promise.all([broker.topicId(name), broker.partitions(name)]);
    if (id === undefined || partitions === undefined) throw new GatewayError("STATION_UNKNOWN");
    return { name, id, leaders: partitions.map(({ leader }) => leader) };
  };

  return {
    view: (name) => {
      const known = views.get(name);
      if (known !== undefined && known.until > clock.monotonic()) return known.view;
      const entry = { until: Number.POSITIVE_INFINITY, view: read(name) };
      views.delete(name);
      views.set(name, entry);
      entry.view.then(
        () => {
          entry.until = clock.monotonic() + FRESH_MS;
        },
        () => views.delete(name),
      );
      const [oldest] = views.keys();
      if (views.size > MAX_TOPICS && oldest !== undefined) views.delete(oldest);
      return entry.view;
    },
    forget: (name) => {
      if (views.get(name)?.until !== Number.POSITIVE_INFINITY) views.delete(name);
    },
  };
};
