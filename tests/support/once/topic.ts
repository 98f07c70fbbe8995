/** What a station with `once` stored. */
import { readTopic } from "../each-broker.ts";

export interface StoredIds {
  /** The ids of the events, `{"id": …}`. */
  readonly ids: readonly string[];
  /** The ids that are stored more than once. */
  readonly repeated: readonly string[];
  /** The number of events without the header of their id. */
  readonly unmarked: number;
}

export const storedIds = async (brokers: readonly string[], topic: string): Promise<StoredIds> => {
  const events = await readTopic(brokers, topic);
  const ids = events.map(({ value }) => (JSON.parse(value.toString()) as { id: string }).id);
  const seen = new Set<string>();
  const repeated = ids.filter((id) => seen.size === seen.add(id).size);
  const isMarked = ({ headers }: (typeof events)[number]): boolean =>
    /^[0-9a-f]{32}$/.test(headers["x-stationgate-once"] ?? "");
  return { ids, repeated, unmarked: events.filter((event) => !isMarked(event)).length };
};
