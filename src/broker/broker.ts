/**
 * `Broker` stores records and reads them back. Three adapters implement it: `kafka`, `embedded` and `memory`.
 * The suite `tests/broker/conformance.ts` checks the contracts of this file for each adapter.
 *
 * Partitions and offsets have the meaning that they have in Kafka: each record of a partition gets the next offset, and
 * a committed offset is the offset of the next record to read.
 */
import type { GatewayError } from "../errors.ts";
import type { AppendOnce } from "./append-once.ts";
import type { Groups } from "./groups.ts";
import type { GroupPosition, TopicPartition, TopicPartitionOffset } from "./positions.ts";
import type { AppendOutcome, BrokerRecord, ConsumedRecord } from "./records.ts";

export type { AppendOnce, OnceBatch, OnceBatchResult, OnceOptions } from "./append-once.ts";
export type { AppendOutcome, BrokerRecord, ConsumedRecord, RecordHeader, StoredRecord } from "./records.ts";
export { MAX_METADATA } from "./positions.ts";
export type { GroupPosition, TopicPartition, TopicPartitionOffset } from "./positions.ts";

/** Bytes and times of one read. */
export interface ReadOptions {
  /** Maximum bytes of the records; a single larger record is returned alone. */
  readonly maxBytes: number;
  /** Maximum time in milliseconds that the read waits for a record. The request timeout is added to it. */
  readonly maxWaitMs: number;
  /** An abort rejects the read with BROKER_UNAVAILABLE. */
  readonly signal: AbortSignal;
  /** `uncommitted`: also returns records of open and aborted transactions. Default: committed. */
  readonly isolation?: "committed" | "uncommitted" | undefined;
}

export interface PartitionRead {
  /** In offset order. May be empty although `next` has grown: offsets without a record are passed, as in `onPassed`. */
  readonly records: readonly ConsumedRecord[];
  /** The offset to read next. */
  readonly next: bigint;
  /**
   * As in `Watermarks`, at the time of the leader's answer. While transactions are open, `high` of a committed read is the
   * offset at which the first of them begins.
   */
  readonly low: bigint;
  readonly high: bigint;
}

export interface TopicInfo {
  readonly name: string;
  readonly partitions: number;
  /** Number of replicas of each partition; absent: 1. */
  readonly replicationFactor?: number;
  /**
   * Only `ensureTopic` sets it, and only if a compacted topic is asked for. False: the topic existed and is not compacted.
   * Absent: the topic is compacted, or the gateway may not read the topic's configuration.
   */
  readonly compacted?: boolean;
}

/** The ids of the brokers that have replicas of a partition. A local log is broker 0. */
export interface PartitionInfo {
  readonly partition: number;
  /** undefined: the partition has no leader now. */
  readonly leader: number | undefined;
  readonly replicas: readonly number[];
  /** The replicas that have all records. */
  readonly inSync: readonly number[];
}

export interface TopicSpec {
  readonly name: string;
  /** Default: the broker's default. */
  readonly partitions?: number | undefined;
  readonly replicationFactor?: number | undefined;
  /** In place of `replicationFactor`: this number of replicas, or the number of brokers if it is smaller. */
  readonly replicasAtMost?: number | undefined;
  /** Maximum record size in bytes that the topic must accept. Default: the adapter's option. */
  readonly maxRecordBytes?: number | undefined;
  /** The broker may delete older records of a key. It promises no time by which it deletes them. */
  readonly compacted?: boolean | undefined;
  /** Milliseconds in which compaction leaves a new record alone (`min.compaction.lag.ms`). A local log does not compact. */
  readonly minCompactionLagMs?: number | undefined;
  /** The broker sets each record's timestamp when it stores the record. A local log keeps the timestamp of the append. */
  readonly logAppendTime?: boolean | undefined;
  /**
   * The topic keeps each record for at least this time in milliseconds, whatever its size, and without compaction. Then
   * `ensureTopic` also checks an existing topic: it raises a lower retention, never lowers a higher one, and sets other wrong
   * settings right.
   */
  readonly retentionMs?: number | undefined;
}

/** The first readable offset (`low`) and the offset of the next record to write (`high`) of a partition. */
export interface Watermarks {
  readonly partition: number;
  readonly low: bigint;
  readonly high: bigint;
}

export interface SubscribeOptions {
  /**
   * Consumer group. Its members share the partitions and start at the committed offsets, or at `from` in a partition
   * without a committed offset. Without a group the subscription reads every partition from `from`, continues at its own
   * position after a fault, and can't commit.
   */
  readonly group?: string | undefined;
  /** A missing topic doesn't delay the other topics. When it is created, the subscription reads it from its first record. */
  readonly topics: readonly string[];
  readonly from: "earliest" | "latest";
  /** Maximum bytes of one partition in one read; a single larger record is delivered alone. Default: the adapter's. */
  readonly maxReadBytes?: number;
}

export interface SubscriptionHandlers {
  /**
   * The group has assigned these partitions to this member, without those that it already had and keeps. They start at their
   * committed offsets: records that an earlier assignment delivered and nobody committed are delivered again. Called before
   * any of their records.
   */
  onAssigned?(partitions: readonly TopicPartition[]): void;
  /**
   * The partition starts at this committed position. Called after `onAssigned` and before the partition's first record.
   * Not called if the group has no committed position in the partition.
   */
  onStart?(position: GroupPosition): void;
  /**
   * The group revokes these partitions, or they are lost. The adapter waits for the promise for `withinMs` milliseconds at
   * most (default: 5,000), so that the handler can commit; until then no other member gets them, unless they are lost.
   */
  onRevoked?(partitions: readonly TopicPartition[], withinMs?: number): Promise<void>;
  /**
   * Records of one partition in offset order. The handler must return at once: a handler that needs time keeps the
   * records and pauses the partition. Records that were already read may still arrive after the pause.
   */
  onRecords(records: readonly ConsumedRecord[]): void;
  /**
   * All records before this offset have been delivered. Offsets without a record belong to aborted transactions or to
   * control records.
   */
  onPassed?(position: TopicPartitionOffset): void;
  /** The topic was deleted and created again, so its offsets start at 0. Called before its partitions are assigned again. */
  onRecreated?(topic: string): void;
  /** A fault from which the subscription recovers by itself; for logs and metrics. */
  onError?(error: GatewayError): void;
}

/** A running consumer. It sends heartbeats also while partitions are paused and while a handler's work takes long. */
export interface Subscription {
  readonly assignment: readonly TopicPartition[];
  /**
   * Time since this member sent the last heartbeat that the group has answered, divided by the session timeout. Above 1
   * the group may have assigned the partitions to another member, and this member doesn't know it. Always 0 in adapters
   * where that is impossible.
   */
  readonly silence: number;
  /** `pause`, `resume` and `seek` never throw. The next assignment of the partition cancels their effect. */
  pause(partitions: readonly TopicPartition[]): void;
  resume(partitions: readonly TopicPartition[]): void;
  /** The next delivered record of the partition is the record at `offset`. */
  seek(position: TopicPartitionOffset): void;
  /** Stores positions (the next offset to read). Rejects with BROKER_UNAVAILABLE, also if a partition isn't assigned. */
  commit(positions: readonly GroupPosition[]): Promise<void>;
  /** Leaves the group. No handler is called after `close` has resolved. */
  close(): Promise<void>;
}

/** The cluster id of a broker with a local log. */
export const LOCAL_CLUSTER = "stationgate";

export interface Broker {
  readonly kind: "kafka" | "embedded" | "memory";

  /** Prepares the adapter. Doesn't fail if Kafka is unavailable: `check` and the outcomes of appends report that. */
  open(): Promise<void>;
  /** Waits for appends in flight and frees all resources. */
  close(): Promise<void>;
  /**
   * Resolves if the broker can store a record now, otherwise rejects with BROKER_UNAVAILABLE. Settles within two seconds.
   * `asks`: the broker must answer; a record that was stored just before proves nothing.
   */
  check(asks?: boolean): Promise<void>;
  /**
   * True: most brokers of the cluster were away a moment ago, so that an append would only wait for its timeout. Absent for a local
   * log.
   */
  readonly isLost?: () => boolean;
  /** The Kafka cluster's id; LOCAL_CLUSTER for a local log. Rejects with BROKER_UNAVAILABLE. */
  clusterId(): Promise<string>;
  /** The address of this machine on its connection to Kafka; 127.0.0.1 for a local log. Rejects with BROKER_UNAVAILABLE. */
  localAddress(): Promise<string>;

  /**
   * Stores records. Resolves to one outcome per record, in order, within the adapter's delivery timeout; never rejects.
   * "stored" means that all in-sync replicas have acknowledged the record, or that it is on the disk. All records of one
   * call without key and partition go to the same partition. If the topic doesn't exist, its records fail with
   * STATION_UNKNOWN; an append never creates a topic. If a record is too large, only that record fails, with
   * RECORD_TOO_LARGE.
   */
  append(topic: string, records: readonly BrokerRecord[]): Promise<readonly AppendOutcome[]>;
  readonly appendOnce: AppendOnce;

  /** The topic's description, which may be some seconds old; undefined: no such topic. Rejects with BROKER_UNAVAILABLE. */
  topic(name: string): Promise<TopicInfo | undefined>;
  topics(): Promise<readonly TopicInfo[]>;
  /** The topic's current partitions, in order; undefined: no such topic. Rejects with BROKER_UNAVAILABLE. */
  partitions(topic: string): Promise<readonly PartitionInfo[] | undefined>;
  /**
   * The id that the topic got when it was created: a topic that is deleted and created again has another id. undefined: no such
   * topic. Empty: Kafka before 2.8, which has no topic ids. Rejects with BROKER_UNAVAILABLE.
   */
  topicId(name: string): Promise<string | undefined>;
  /**
   * Creates the topic if it doesn't exist. Doesn't change an existing topic, except as `retentionMs` says. With `retentionMs`
   * it rejects with SETTINGS_INVALID if the topic has another number of partitions or a setting that can't be changed, and
   * with TOPIC_REFUSED if the gateway has not the rights.
   */
  ensureTopic(spec: TopicSpec): Promise<TopicInfo>;
  watermarks(topic: string): Promise<readonly Watermarks[]>;
  /** For each partition the offset of the first record with this timestamp or a later one, or the high watermark. */
  offsetsAt(topic: string, timestamp: number): Promise<readonly TopicPartitionOffset[]>;
  /**
   * The end of the leader's log, with the records that not all in-sync replicas have yet: no record that was acknowledged or
   * written to the leader so far is beyond it. Rejects with BROKER_UNAVAILABLE or PARTITION_UNKNOWN.
   */
  leaderEnd(topic: string, partition: number): Promise<bigint>;

  /** Committed positions of a group on a topic, without the partitions that have none. */
  committed(group: string, topic: string): Promise<readonly GroupPosition[]>;
  /**
   * Sets the positions of a group that has no members. Just before the request is sent, `isWanted` is called for each
   * position, with the stored offset. If it returns false, that position is not set.
   */
  setCommitted(
    group: string,
    positions: readonly GroupPosition[],
    isWanted?: (position: GroupPosition, stored: bigint | undefined) => boolean,
  ): Promise<void>;
  /** Deletes a group without members, and its positions. */
  deleteGroup(group: string): Promise<void>;

  /**
   * Group membership with one method for each request, such as join or heartbeat. A group can't have such members and
   * members of `subscribe` at the same time.
   */
  readonly groups: Groups;
  /**
   * Reads one partition from an offset, without a group. Resolves when there are records, when offsets without a record were
   * passed, or after `maxWaitMs`. Rejects with OFFSET_OUT_OF_RANGE if the offset is below `low`
   * or beyond the partition's end, with PARTITION_UNKNOWN, or with BROKER_UNAVAILABLE.
   */
  read(from: TopicPartitionOffset, options: ReadOptions): Promise<PartitionRead>;
  /** Starts to consume. Resolves once the subscription runs; the assignment may follow later. */
  subscribe(options: SubscribeOptions, handlers: SubscriptionHandlers): Promise<Subscription>;
}

/**
 * Kafka's internal topics. Each commit of a group writes a record to `__consumer_offsets`, so a connector that delivers this
 * topic would never reach its end.
 */
const OF_KAFKA: ReadonlySet<string> = new Set([
  "__consumer_offsets",
  "__transaction_state",
  "__share_group_state",
  "__cluster_metadata",
]);

/**
 * True for internal topics of Kafka and of the gateway. The gateway's topics contain connector definitions with secrets. No
 * pattern matches an internal topic, no list of topics may name it, and no station uses it.
 */
export const isInternalTopic = (topic: string): boolean =>
  topic.startsWith("_stationgate-") || OF_KAFKA.has(topic);
