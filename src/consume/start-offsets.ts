/**
 * The start offsets of a group: where it starts in partitions in which it has committed nothing yet. They are records of the
 * group's slot, so that each later home of the group starts at the same offsets.
 */
import type { TopicPartition, TopicPartitionOffset } from "../broker/positions.ts";
import { asGatewayError } from "../errors.ts";
import { recordName, type SlotRecords } from "./slot-records.ts";

export interface StartOffsets {
  /** undefined: none is kept. */
  kept(partition: TopicPartition): bigint | undefined;
  /**
   * Resolves when they are stored. Rejects as `SlotLog.put` does. Start offsets by `earliest` may stay unstored while nothing
   * can be stored, for example because the disk is full: a later home resolves them again, and skips no record.
   */
  keep(starts: readonly TopicPartitionOffset[], from: "earliest" | "latest"): Promise<void>;
  /** The group has committed positions of these partitions: their start offsets are deleted. */
  committed(positions: readonly TopicPartition[]): void;
}

export const startOffsetsOf = (records: SlotRecords, group: string): StartOffsets => {
  const nameOf = ({ topic, partition }: TopicPartition): string =>
    recordName("start", group, topic, partition);
  /** Names that are being deleted. */
  const deleting = new Set<string>();

  return {
    kept: (partition) => {
      const value = records.get(nameOf(partition));
      return value && BigInt(value.toString());
    },
    keep: async (starts, from) => {
      try {
        await records.put(
          starts.map((start) => ({ name: nameOf(start), value: Buffer.from(start.offset.toString()) })),
        );
      } catch (error) {
        if (from === "latest" || asGatewayError(error).code !== "BROKER_UNAVAILABLE") throw error;
      }
    },
    committed: (positions) => {
      const names = positions
        .map(nameOf)
        .filter((name) => records.get(name) !== undefined && !deleting.has(name));
      for (const name of names) deleting.add(name);
      records
        .put(names.map((name) => ({ name, value: null })))
        // A commit counts more than a start offset: a record that stays is deleted after a later commit.
        .catch(() => undefined)
        .finally(() => {
          for (const name of names) deleting.delete(name);
        });
    },
  };
};
