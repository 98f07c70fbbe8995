/** Where an instance starts in a partition: the positions that are stored for it, or the group's. */
import type { Broker, Watermarks } from "../../broker/broker.ts";
import type { TopicPartition } from "../../broker/positions.ts";
import type { GatewayError } from "../../errors.ts";
import type { SlotRecord } from "../../home/contract.ts";
import { endOf, ofPartition, withinLog } from "../marks.ts";
import { shared } from "../../lib/single-flight.ts";
import type { SlotRecords } from "../slot-records.ts";
import type { StartOffsets } from "../start-offsets.ts";
import type { Start } from "./cursor.ts";
import type { InstanceSettings } from "./requests.ts";
import { decodePosition, encodePosition, positionRecord, type StoredPosition } from "./stored.ts";

export interface StartsOptions {
  readonly broker: Pick<Broker, "committed" | "watermarks">;
  readonly group: string;
  readonly records: SlotRecords;
  readonly offsets: StartOffsets;
  readonly onError: (error: GatewayError) => void;
}

/** A partition of an instance. */
export interface StartAt extends TopicPartition, Pick<InstanceSettings, "reset"> {
  readonly instance: string;
}

/** All methods that ask the broker reject with BROKER_UNAVAILABLE. */
export interface Starts {
  /** Takes over the positions of the planned end of the home before. */
  restore(): void;
  /** Records of positions that were taken over and not used. */
  unused(): readonly SlotRecord[];
  startOf(at: StartAt): Promise<Start>;
  /**
   * The offset to continue at if the partition does not have this one. Below the first record it is the first record. Beyond
   * the last one `auto.offset.reset` applies, and the result is stored.
   */
  existing(at: StartAt, offset: bigint, committed: bigint | undefined): Promise<bigint>;
}

export const createStarts = (options: StartsOptions): Starts => {
  const { group, records, offsets, onError } = options;
  const ends = new Map<string, Buffer>();
  const committedOf = shared((topic) => options.broker.committed(group, topic));
  const marksOf = shared((topic) => options.broker.watermarks(topic));

  const committedIn = async ({ topic, partition }: TopicPartition): Promise<bigint | undefined> =>
    (await committedOf(topic)).find((one) => one.partition === partition)?.offset;

  const markOf = async ({ topic, partition }: TopicPartition): Promise<Watermarks> =>
    ofPartition(await marksOf(topic), partition);

  /** A position counts unless the group has committed another offset since. */
  const positionOf = (at: StartAt, committed: bigint | undefined): StoredPosition | undefined => {
    const end = positionRecord("end", { ...at, group });
    const stored = ends.get(end) ?? records.get(positionRecord("seek", { ...at, group }));
    ends.delete(end);
    const position = stored && decodePosition(stored);
    return position?.committed === committed ? position : undefined;
  };

  return {
    restore: () => {
      for (const [name, value] of records.under("end", group)) ends.set(name, value);
      records.put([...ends.keys()].map((name) => ({ name, value: null }))).catch(onError);
    },
    unused: () => [...ends].map(([name, value]) => ({ name, value })),
    startOf: async (at) => {
      const committed = await committedIn(at);
      const position = positionOf(at, committed);
      if (position !== undefined) return { offset: position.offset, committed, isDue: position.isDue };
      const known = committed ?? offsets.kept(at);
      if (known !== undefined) return { offset: known, committed, isDue: false };
      const offset = endOf(await markOf(at), at.reset);
      await offsets.keep([{ topic: at.topic, partition: at.partition, offset }], at.reset);
      return { offset, committed, isDue: false };
    },
    existing: async (at, offset, committed) => {
      const mark = await markOf(at);
      const readable = withinLog(mark, offset);
      if (readable !== undefined) return readable;
      const start = endOf(mark, at.reset);
      const value = encodePosition({ offset: start, committed, isDue: false });
      await records.put([{ name: positionRecord("seek", { ...at, group }), value }]);
      return start;
    },
  };
};
