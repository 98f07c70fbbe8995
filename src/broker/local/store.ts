/**
 * What a broker without a cluster needs of its storage. The rest of such a broker (partitions, groups, delivery) is
 * the same wherever the records lie, and is built over this interface by `local-broker.ts`.
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
  readonly partitions: number;
  /** Largest record it takes: bytes of key, value and headers together. */
  readonly maxRecordBytes: number;
}

/** A read ends at whichever limit it meets first, but never before its first record. */
export interface ReadLimit {
  readonly records: number;
  readonly bytes: number;
}

/** Topics, partitions and groups named here exist, and offsets lie between the watermarks: the broker has checked. */
export interface LocalStore {
  /** Rejects with SETTINGS_INVALID where the storage cannot be used. */
  readonly open: () => Promise<void>;
  /** Waits for what is in flight. */
  readonly close: () => Promise<void>;
  /** Resolves when a record could be stored now, else rejects with BROKER_UNAVAILABLE. */
  readonly check: () => Promise<void>;

  readonly topics: () => ReadonlyMap<string, LocalTopic>;
  readonly createTopic: (topic: LocalTopic) => Promise<void>;

  /**
   * Stores records in order, after those of every earlier call for the partition. Resolves to the first one's offset
   * once they are as durable as the storage promises, and from then on `read` finds them. Rejects with a
   * GatewayError that holds for all of them.
   */
  readonly append: (to: TopicPartition, records: readonly BrokerRecord[]) => Promise<bigint>;
  readonly ends: (of: TopicPartition) => { readonly low: bigint; readonly high: bigint };
  /** Records from an offset on; none at the high watermark. */
  readonly read: (from: TopicPartitionOffset, limit: ReadLimit) => readonly ConsumedRecord[];

  /** The committed positions of a group on all topics. */
  readonly positions: (group: string) => readonly GroupPosition[];
  /** Sets positions, all or none, with the durability of `append`. */
  readonly savePositions: (group: string, positions: readonly GroupPosition[]) => Promise<void>;
  readonly deletePositions: (group: string) => Promise<void>;
}

/** The committed positions of all groups, in memory. */

export interface Positions {
  readonly of: (group: string) => readonly GroupPosition[];
  readonly set: (group: string, positions: readonly GroupPosition[]) => void;
  readonly delete: (group: string) => void;
}

/** No positions yet; a later one of a partition replaces the earlier. */
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
