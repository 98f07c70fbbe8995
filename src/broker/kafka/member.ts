/** A member of a subscription, from its join to its leave. Each client library has its own. */
import type {
  GroupPosition,
  SubscribeOptions,
  SubscriptionHandlers,
  TopicPartition,
  TopicPartitionOffset,
} from "../broker.ts";
import type { TopicIds } from "./topic-metadata.ts";

export interface MemberEvents {
  onJoined(): void;
  /** The member has ended after an error. A new one must take its place. */
  onLost(cause: unknown): void;
  /**
   * The broker doesn't know a topic or an offset. Checks which topics exist. If these are not the topics that the member
   * reads, starts a new member in its place and resolves to true. Never rejects.
   */
  onUnknown(): Promise<boolean>;
}

export interface MemberContext {
  /** undefined: the member reads every partition. */
  readonly group: string | undefined;
  /** The subscribed topics that exist. */
  readonly topics: readonly string[];
  readonly ids: TopicIds;
  readonly options: Pick<SubscribeOptions, "from" | "maxReadBytes">;
  readonly handlers: SubscriptionHandlers;
  readonly events: MemberEvents;
  /** The offset to read a partition from; undefined: the group's committed position. */
  readonly startOf: (partition: TopicPartition) => bigint | undefined;
}

export interface KafkaMember {
  /** The group that the client library needs for a member without a group. It must be deleted. */
  readonly generatedGroup: string | undefined;
  readonly assignment: readonly TopicPartition[];
  /** As in `Subscription`. */
  readonly silence: number;
  /** Joins the group. */
  start(): Promise<void>;
  pause(partitions: readonly TopicPartition[]): void;
  resume(partitions: readonly TopicPartition[]): void;
  seek(position: TopicPartitionOffset): void;
  commit(positions: readonly GroupPosition[]): Promise<void>;
  leave(): Promise<void>;
}
