/** Finds offsets by time. */
import { setImmediate as nextTurn } from "node:timers/promises";
import type { TopicPartition } from "../broker.ts";
import type { LocalStore } from "./store.ts";

const PAGE = { records: 1000, bytes: 4 * 1024 * 1024 };

/**
 * The first offset whose record is not older than `timestamp` (milliseconds since the epoch), or the high watermark.
 * Reads from the start, for producers may give any timestamps in any order; other work goes on between two pages.
 */
export const firstSince = async (
  store: Pick<LocalStore, "ends" | "read">,
  of: TopicPartition,
  timestamp: number,
): Promise<bigint> => {
  const { low, high } = store.ends(of);
  let offset = low;
  while (offset < high) {
    const records = store.read({ ...of, offset }, PAGE);
    const found = records.find((record) => record.timestamp >= timestamp);
    if (found !== undefined) return found.offset;
    offset = (records.at(-1)?.offset ?? high) + 1n;
    await nextTurn();
  }
  return high;
};
