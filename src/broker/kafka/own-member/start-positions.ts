/** Where a member starts to read the partitions that it was assigned. */
import type { Broker, GroupPosition, SubscribeOptions, TopicPartition, Watermarks } from "../../broker.ts";
import { partitionId } from "../../partitions.ts";

export interface StartParts {
  readonly group: string | undefined;
  readonly from: SubscribeOptions["from"];
  /** The group's committed positions in these partitions, without the partitions that have none. */
  readonly committed: (
    group: string,
    partitions: readonly TopicPartition[],
  ) => Promise<readonly GroupPosition[]>;
  readonly watermarks: Broker["watermarks"];
}

export interface StartPosition {
  readonly offset: bigint;
  /** Set if the position is that of the group. */
  readonly committed: GroupPosition | undefined;
}

const endOf = (from: SubscribeOptions["from"], { low, high }: Watermarks): bigint =>
  from === "earliest" ? low : high;

/** A partition that no broker knows yet is missing in the answer. Rejects as `committed` and `watermarks` do. */
export const findStarts = async (
  { group, from, committed, watermarks }: StartParts,
  partitions: readonly TopicPartition[],
): Promise<ReadonlyMap<string, StartPosition>> => {
  const found = group === undefined ? [] : await committed(group, partitions);
  const starts = new Map<string, StartPosition>(
    found.map((position) => [partitionId(position), { offset: position.offset, committed: position }]),
  );
  const rest = partitions.filter((partition) => !starts.has(partitionId(partition)));
  for (const topic of new Set(rest.map((partition) => partition.topic))) {
    const ends = new Map((await watermarks(topic)).map((marks) => [marks.partition, endOf(from, marks)]));
    for (const partition of rest.filter((one) => one.topic === topic)) {
      const offset = ends.get(partition.partition);
      if (offset !== undefined) starts.set(partitionId(partition), { offset, committed: undefined });
    }
  }
  return starts;
};
