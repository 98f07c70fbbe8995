/**
 * The storage of a local broker. `local-broker.ts` implements partitions, groups and delivery on this interface.
 */
import { partitionId } from "../partitions.ts";
import type {
  BrokerRecord,
  ConsumedRecord,
  GroupPosition,
  TopicPartition,
  TopicPartitionOffset,
} from "../broker.ts";

export interface LocalTopic {
  readonly name: string;
  /** The topic's id (`Broker.topicId`). */
  readonly uuid: string;
  readonly partitions: number;
  /** Maximum record size; see `contentBytes`. */
  readonly maxRecordBytes: number;
}

/** A read ends at the limit that it reaches first, but returns at least one record. */
export interface ReadLimit {
  readonly records: number;
  readonly bytes: number;
}

/** The broker passes only existing topics and partitions, and offsets between the watermarks. */
export interface LocalStore {
  /** Rejects with SETTINGS_INVALID if the storage can't be used. */
  readonly open: () => Promise<void>;
  /** Waits for appends in flight. */
  readonly close: () => Promise<void>;
  /** Resolves if a record can be stored now, otherwise rejects with BROKER_UNAVAILABLE. */
  readonly check: () => Promise<void>;

  readonly topics: () => ReadonlyMap<string, LocalTopic>;
  readonly createTopic: (topic: LocalTopic) => Promise<void>;
  /** Records of the topic may be deleted after this time (`TopicSpec.retentionMs`), until the store is closed. Never lowers the time. */
  readonly retain: (topic: string, retentionMs: number) => void;

  /**
   * Stores records in order, after the records of all earlier calls for the partition. Resolves to the offset of the first
   * record when the records are durable; from then on `read` returns them. Rejects with a GatewayError for all of them.
   */
  readonly append: (to: TopicPartition, records: readonly BrokerRecord[]) => Promise<bigint>;
  readonly ends: (of: TopicPartition) => { readonly low: bigint; readonly high: bigint };
  /** Records from this offset on; empty at the high watermark. */
  readonly read: (from: TopicPartitionOffset, limit: ReadLimit) => readonly ConsumedRecord[];

  /** The committed positions of a group on all topics. */
  readonly positions: (group: string) => readonly GroupPosition[];
  /** Sets all positions or none, with the durability of `append`. */
  readonly savePositions: (group: string, positions: readonly GroupPosition[]) => Promise<void>;
  readonly deletePositions: (group: string) => Promise<void>;
}

export interface Positions {
  readonly of: (group: string) => readonly GroupPosition[];
  readonly set: (group: string, positions: readonly GroupPosition[]) => void;
  readonly delete: (group: string) => void;
}

/** Creates an empty in-memory table of committed positions. */
export const createPositions = (): Positions => {
  const groups = new Map<string, Map<string, GroupPosition>>();

  return {
    of: (group) => [...(groups.get(group)?.values() ?? [])],
    set: (group, positions) => {
      const known = groups.get(group) ?? new Map<string, GroupPosition>();
      groups.set(group, known);
      for (const position of positions) known.set(partitionId(position), position);
    },
    delete: (group) => {
      groups.delete(group);
    },
  };
};
