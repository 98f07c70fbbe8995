/** The source of a member's partitions: a group by one of Kafka's protocols, or all partitions of the topics. */
import type { GatewayError } from "../../../errors.ts";
import type { GroupPosition, TopicPartition } from "../../positions.ts";

/** A partition ends before it begins again. */
export interface AssignmentHandlers {
  /** The member has joined. Called after each join. */
  onJoined(): void;
  onBegin(partitions: readonly TopicPartition[]): void;
  /**
   * Resolves when the deliveries of the partitions have ended and are committed, or after `withinMs` milliseconds (default:
   * `END_MS`). Never rejects. Until then commits of the partitions are allowed.
   */
  onEnd(partitions: readonly TopicPartition[], withinMs?: number): Promise<void>;
  /** A fault from which the member recovers by itself. */
  readonly onError: (error: GatewayError) => void;
  /** A topic may be missing, or was created again. */
  onUnknownTopic(): void;
}

export interface Assignment {
  start(): void;
  /** As in `Subscription`. */
  readonly silence: number;
  /** Rejects with BROKER_UNAVAILABLE if the positions are not stored, or may not be stored. */
  commit(positions: readonly GroupPosition[]): Promise<void>;
  /** Leaves the group without `onEnd`. Never rejects. */
  leave(): Promise<void>;
}

/** Milliseconds for the end of partitions before a rebalance, and of partitions that are lost. */
export const END_MS = 5000;
