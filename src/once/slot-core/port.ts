/**
 * What the state machine of a slot gets and what it asks for. Each method of `SlotPort` that begins work returns at once and
 * never calls the core back before it has returned; the answer comes later through the method of `SlotCore` that it names.
 * Offsets are numbers. The home confirms that a slot is its own; decision 7 has the protocol.
 */
import type { BrokerRecord } from "../../broker/broker.ts";
import type { GatewayError } from "../../errors.ts";
import type { IdKind } from "../slot-ids.ts";
import type { SlotRecord, TopicRef } from "../slot-records.ts";

/** The id of an event, as its home sees it. */
export interface CoreId {
  readonly digest: Buffer;
  /** Milliseconds. */
  readonly window: number;
  readonly kind: IdKind;
  readonly payload?: Buffer | undefined;
}

export interface CoreEvent {
  readonly id: CoreId;
  /** Without the header that marks it. */
  readonly record: BrokerRecord;
}

export interface TopicView extends TopicRef {
  /** The leader of each partition; undefined: the partition has none. */
  readonly leaders: readonly (number | undefined)[];
}

export interface CoreCall {
  readonly topic: TopicView;
  /** The request's random number, 32 bits. */
  readonly request: number;
  /** By the monotonic clock: every event is answered by then. */
  readonly until: number;
  readonly events: readonly CoreEvent[];
}

export type CoreOutcome =
  | {
      readonly status: "stored";
      readonly partition: number;
      readonly offset: number;
      readonly timestamp: number;
      readonly isDuplicate: boolean;
    }
  | { readonly status: "refused"; readonly error: GatewayError }
  /** This request has not stored the event, and won't. */
  | { readonly status: "unavailable" }
  /** The id has no outcome yet. `leaderless`: because its partition has no leader. */
  | { readonly status: "unresolved" | "leaderless" }
  /** The id belongs to another payload. */
  | { readonly status: "reused" };

/** Records for partitions with one leader, each of one batch. */
export interface EventAppend {
  readonly topic: TopicRef;
  readonly batches: readonly { readonly partition: number; readonly events: readonly CoreEvent[] }[];
}

/** As `OnceBatchResult` of the broker. */
export type BatchResult =
  | { readonly status: "stored"; readonly offset: number; readonly timestamp: number }
  | { readonly status: "refused"; readonly error: GatewayError }
  | { readonly status: "unsent" }
  | { readonly status: "unknown"; readonly isAnswered?: true };

export interface Look {
  readonly topic: TopicRef;
  readonly partition: number;
  /** The lowest offset at which one of the records can be. */
  readonly from: number;
  /** Digests as latin1 text. */
  readonly names: ReadonlySet<string>;
}

export interface SlotPort {
  /** Milliseconds since the epoch. */
  now(): number;
  /** Milliseconds. */
  monotonic(): number;
  /** Check (b): the last answered heartbeat was sent less than half of the session timeout ago, by both clocks. */
  isFresh(): boolean;
  /** Calls `tick` at this time of the monotonic clock, and not at the time of an earlier request; Infinity: never. */
  wakeAt(time: number): void;
  /** One append at a time. Answer: `slotStored` or `slotFailed`. */
  appendToSlot(records: readonly SlotRecord[]): void;
  /** Reads the records of the slot in this range; the end is not part of it. Answer: `slotRead`. */
  readSlot(from: number, to: number): void;
  /** Asks for the end of the partition that clients see. Answer: `endKnown`. */
  askEnd(topic: TopicRef, partition: number): void;
  /** Appends marked records, if check (b) holds when they are written. Answer: `appended`. */
  appendEvents(append: EventAppend): void;
  /** Looks for marked records in a partition, up to the end of the leader's log. Answer: `looked`. */
  look(look: Look): void;
  /** `moved`: this process is not the home any more, or not for long; the caller asks the next home. */
  answer(call: CoreCall, outcomes: readonly CoreOutcome[] | "moved"): void;
  /** Nothing of the call is in use any more. Comes after `answer`. */
  release(call: CoreCall): void;
  /** Another process has fenced the slot. The core has ended. */
  fenced(): void;
  /** After `drain`: no append is without an outcome, and no late append can arrive. */
  drained(): void;
}
