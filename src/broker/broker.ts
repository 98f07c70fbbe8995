/**
 * The broker port: where records are stored and read back. Three adapters implement it (`kafka`, `embedded`,
 * `memory`), and `tests/broker/conformance.ts` is the promise below as a suite that each of them passes.
 *
 * Offsets and partitions mean what they mean in Kafka: offsets of a partition grow by one a record, a committed
 * offset is the next one to read.
 */
import type { GatewayError } from "../errors.ts";

export interface RecordHeader {
  readonly name: string;
  /** Kafka tells null from an empty value. */
  readonly value: Buffer | null;
}

/** A record to be stored. Buffers are not copied: the caller leaves them alone until the append has settled. */
export interface BrokerRecord {
  /** Chooses the partition by Kafka's murmur2 where `partition` is absent; null: any partition. */
  readonly key: Buffer | null;
  /** null is a tombstone. */
  readonly value: Buffer | null;
  /** Values of one name are kept in order; a reader may get the names grouped. */
  readonly headers: readonly RecordHeader[];
  /** Milliseconds since the epoch. */
  readonly timestamp: number;
  /** Asks for one partition; where it doesn't exist the record alone fails with PARTITION_UNKNOWN. */
  readonly partition?: number;
}

export interface StoredRecord {
  readonly status: "stored";
  readonly partition: number;
  readonly offset: bigint;
  readonly timestamp: number;
}

interface FailedRecord {
  readonly status: "failed";
  /** Its `outcome` says whether the record is certainly not stored or may be. */
  readonly error: GatewayError;
}

export type AppendOutcome = StoredRecord | FailedRecord;

export interface TopicPartition {
  readonly topic: string;
  readonly partition: number;
}

export interface TopicPartitionOffset extends TopicPartition {
  readonly offset: bigint;
}

/** A group's position in a partition, with what a member stored beside it. */
export interface GroupPosition extends TopicPartitionOffset {
  /** At most `MAX_METADATA` characters of ASCII. Absent: none. */
  readonly metadata?: string | undefined;
}

/** What Kafka takes by default (`offset.metadata.max.bytes`). A broker that takes less stores the position without it. */
export const MAX_METADATA = 4096;

/** A record as it is handed over. Its buffers are its own: to keep a record keeps little more than its bytes in memory. */
export interface ConsumedRecord extends TopicPartitionOffset {
  readonly timestamp: number;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers: readonly RecordHeader[];
}

export interface TopicInfo {
  readonly name: string;
  readonly partitions: number;
  /** Copies of each partition; absent: there is but one. */
  readonly replicationFactor?: number;
  /** Of `ensureTopic` with `compacted`: false says that the topic was there and is not; absent: it is, or can't be asked. */
  readonly compacted?: boolean;
}

/** Which brokers have a partition, by their ids. A local log is the one broker 0. */
export interface PartitionInfo {
  readonly partition: number;
  /** undefined: no broker leads it now. */
  readonly leader: number | undefined;
  readonly replicas: readonly number[];
  /** Those of the replicas that have all records. */
  readonly inSync: readonly number[];
}

export interface TopicSpec {
  readonly name: string;
  /** Default: the broker's own. */
  readonly partitions?: number | undefined;
  readonly replicationFactor?: number | undefined;
  /** Largest record in bytes that the topic must take. Default: what the adapter was told. */
  readonly maxRecordBytes?: number | undefined;
  /** Keep only the newest record of each key (a promise of readers' correctness, not of when space is freed). */
  readonly compacted?: boolean | undefined;
}

/** First offset still readable (`low`) and the next one to be written (`high`) of a partition. */
export interface Watermarks {
  readonly partition: number;
  readonly low: bigint;
  readonly high: bigint;
}

export interface SubscribeOptions {
  /**
   * Consumer group: its members share the partitions, positions are its committed offsets, and a partition without
   * one starts at `from`. Without a group the subscription reads every partition from `from` by itself, goes on where it
   * was after a fault, and may not commit.
   */
  readonly group?: string | undefined;
  /** Topics that don't exist, or no longer, don't hold up the others, and are read from their beginning once they exist. */
  readonly topics: readonly string[];
  readonly from: "earliest" | "latest";
  /** Bytes of one partition that arrive at a time, if these are more than one record; default: the adapter's own. */
  readonly maxReadBytes?: number;
}

export interface SubscriptionHandlers {
  /**
   * These partitions are now this member's, and start afresh at their committed offsets: whatever an earlier
   * assignment delivered and was not committed comes again. Called before any of their records.
   */
  onAssigned?(partitions: readonly TopicPartition[]): void;
  /**
   * The partition begins at this committed position. Called after `onAssigned` and before the partition's first record,
   * and not where the group has no position in it that could be read from.
   */
  onStart?(position: GroupPosition): void;
  /** These partitions are being given up; the adapter waits for the promise, a bounded time, so that work can be committed. */
  onRevoked?(partitions: readonly TopicPartition[]): Promise<void>;
  /**
   * Records of one partition in offset order. Returns at once: who needs time keeps the records and pauses the
   * partition. At most the records already handed over arrive after a pause.
   */
  onRecords(records: readonly ConsumedRecord[]): void;
  /**
   * Everything before this offset has been handed over, and what was not is no record for readers: aborted, or a control
   * record of a transaction.
   */
  onPassed?(position: TopicPartitionOffset): void;
  /** The topic was deleted and created again: its offsets count from the beginning. Called before it is assigned again. */
  onRecreated?(topic: string): void;
  /** A fault that the subscription goes on from by itself; for logs and metrics. */
  onError?(error: GatewayError): void;
}

/** A running consumer. Heartbeats go on by themselves whatever is paused and however long the handlers' work takes. */
export interface Subscription {
  readonly assignment: readonly TopicPartition[];
  /**
   * Time since this member sent the last heartbeat that the group has answered, as a fraction of the session timeout. Above 1
   * the group may have given the partitions to another member without this one knowing of it. 0 where that can't happen.
   */
  readonly silence: number;
  /** Never throws: what is paused, resumed or sought while there is no assignment ends with the next one. */
  pause(partitions: readonly TopicPartition[]): void;
  resume(partitions: readonly TopicPartition[]): void;
  /** The next record of that partition to arrive is the one at `offset`. */
  seek(position: TopicPartitionOffset): void;
  /** Stores positions (the next offset to read). Rejects with BROKER_UNAVAILABLE, or when the partition is no longer ours. */
  commit(positions: readonly GroupPosition[]): Promise<void>;
  /** Leaves the group. Handlers are not called after it has resolved. */
  close(): Promise<void>;
}

/** What clients and operators call the cluster where there is but a local log. */
export const LOCAL_CLUSTER = "stationgate";

export interface Broker {
  readonly kind: "kafka" | "embedded" | "memory";

  /** Prepares the adapter. A Kafka that is away is no failure here: it shows in `check` and in each outcome. */
  open(): Promise<void>;
  /** Waits for what is in flight and frees everything. */
  close(): Promise<void>;
  /** Resolves when a record could be stored now, else rejects with BROKER_UNAVAILABLE, within two seconds. */
  check(): Promise<void>;
  /** What names the Kafka cluster; LOCAL_CLUSTER for a local log. Rejects with BROKER_UNAVAILABLE. */
  clusterId(): Promise<string>;

  /**
   * Stores records and settles, never rejects: one outcome per record, in order. "stored" means acknowledged by all
   * in-sync replicas, or on the disk. Records without key and partition of one call share one partition. Settles
   * within the adapter's delivery timeout. A topic that doesn't exist fails its records with STATION_UNKNOWN; it is
   * never created by writing. A record that is too large fails alone with RECORD_TOO_LARGE.
   */
  append(topic: string, records: readonly BrokerRecord[]): Promise<readonly AppendOutcome[]>;

  /** What is known of a topic, possibly some seconds old; undefined: there is none. Rejects with BROKER_UNAVAILABLE. */
  topic(name: string): Promise<TopicInfo | undefined>;
  topics(): Promise<readonly TopicInfo[]>;
  /** A topic's partitions in their order, as they are now; undefined: there is no such topic. Rejects with BROKER_UNAVAILABLE. */
  partitions(topic: string): Promise<readonly PartitionInfo[] | undefined>;
  /** Creates the topic unless it exists; an existing one is left as it is. */
  ensureTopic(spec: TopicSpec): Promise<TopicInfo>;
  watermarks(topic: string): Promise<readonly Watermarks[]>;
  /** For each partition the first offset whose record is not older than `timestamp`, or the high watermark. */
  offsetsAt(topic: string, timestamp: number): Promise<readonly TopicPartitionOffset[]>;

  /** Committed positions of a group on a topic; a partition without one is left out. */
  committed(group: string, topic: string): Promise<readonly GroupPosition[]>;
  /**
   * Sets positions from outside; the group must have no members. `isWanted` is asked for each of them at the last moment
   * before the request is sent, with the offset that is stored; false: that position is left out.
   */
  setCommitted(
    group: string,
    positions: readonly GroupPosition[],
    isWanted?: (position: GroupPosition, stored: bigint | undefined) => boolean,
  ): Promise<void>;
  /** Forgets a group without members, its positions included. */
  deleteGroup(group: string): Promise<void>;

  /** Begins to consume. Resolves once the subscription runs; assignment may come later. */
  subscribe(options: SubscribeOptions, handlers: SubscriptionHandlers): Promise<Subscription>;
}

/** Topics that hold no station's events. */

/** Kafka's own: each commit of a group is a record of the first, so that delivering it would never end. */
const OF_KAFKA: ReadonlySet<string> = new Set([
  "__consumer_offsets",
  "__transaction_state",
  "__share_group_state",
  "__cluster_metadata",
]);

/**
 * Kafka's own topics and the gateway's, whose connector definitions hold secrets. No pattern selects them, no list of
 * topics may name them, and no station stands for one.
 */
export const isInternalTopic = (topic: string): boolean =>
  topic.startsWith("_stationgate-") || OF_KAFKA.has(topic);
