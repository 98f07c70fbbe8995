import type { ConsumedRecord, TopicPartition } from "../../broker/broker.ts";
import type { OffsetTracker } from "./offset-tracker.ts";
import type { RetryState } from "./strategy/strategy.ts";

/** A partition while it is ours. A partition that comes back after a rebalance is a new claim. */
export interface Claim extends TopicPartition {
  readonly tracker: OffsetTracker;
  /** Of the claim before, where that was still ending as the partition came back: what it finishes isn't sent again. */
  earlier: OffsetTracker | undefined;
  /** false: the group may have given the partition to another process, which this one can't know yet. */
  readonly isConfirmed: () => boolean;
  /** To be called when a record of it has its final outcome. */
  readonly finished: (record: ConsumedRecord) => void;
  /** It is known where it began. */
  begun: boolean;
  /** Being given up, or gone: nothing more of it is sent. */
  revoked: boolean;
  /** Records being sent, or being stored as dead letters. */
  busy: number;
  /** Records in memory, and the bytes they take. */
  records: number;
  bytes: number;
  /** The subscription holds back what comes next. */
  paused: boolean;
  /** Position that is stored, and its metadata. */
  committed: bigint | undefined;
  metadata: string | undefined;
}

/** A record on its way to a final outcome. */
export interface Item {
  readonly record: ConsumedRecord;
  readonly claim: Claim;
  /** Not to be sent before, milliseconds since the epoch; 0: at once. */
  notBefore: number;
  attempts: number;
  retry: RetryState;
  lastStatus: number | undefined;
  lastError: string | undefined;
}
