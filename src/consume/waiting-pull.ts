/** One pull: its request, the records that it has so far, and the end of its wait. */
import type { GatewayError } from "../errors.ts";
import type { Clock } from "../lib/clock.ts";
import type { KeptEvent, Taken } from "./partition-hand-out.ts";

export interface PullRequest {
  /** The caller's principal. Memory, groups and waiting calls are limited for each owner. */
  readonly owner: string;
  readonly topic: string;
  /** Where the group starts in a partition without a committed position; used by the first pull of a topic only. */
  readonly from: "earliest" | "latest";
  readonly maxRecords: number;
  /** Milliseconds to wait for `maxRecords`, from the assignment of the partitions on. */
  readonly waitMs: number;
  /** Aborted when the client disconnects: no more records are taken for it. */
  readonly signal: AbortSignal;
}

/** Records for one answer. The caller must call exactly one of `consume` and `release` when the answer is settled. */
export interface Pull {
  readonly events: readonly KeptEvent[];
  /** The records were sent. Resolves when their positions are committed; never rejects. */
  consume(): Promise<void>;
  /** The records were not sent: the next pull gets them. */
  release(): void;
  /** Only the first `count` events, at least one, will be sent. The next pull gets the others. */
  keep(count: number): void;
}

export interface WaitingPull {
  readonly taken: readonly Taken[];
  /** Records and bytes that the pull can still take. */
  readonly missing: number;
  readonly bytesLeft: number;
  /** The time is over, but the pull has no records, and an empty answer would be a guess. */
  readonly isOverdue: boolean;
  /** Why the pull fails, whatever it has taken. */
  readonly fault: GatewayError | undefined;
  readonly ended: Promise<void>;
  add(taken: Taken): void;
  /** The partitions are assigned: starts `waitMs`. Only the first call counts. */
  startWait(): void;
  end(): void;
  fail(fault: GatewayError): void;
}

interface WaitingPullOptions {
  readonly clock: Clock;
  /** True if it is known whether there are records. */
  readonly mayBeEmpty: () => boolean;
}

/** Maximum bytes of one answer, even if the client asks for more records. */
export const MAX_ANSWER_BYTES = 16 * 1024 * 1024;

/** Waits without a limit until `startWait`. The request's signal must not be aborted yet. */
export const createWaitingPull = (
  { maxRecords, waitMs, signal }: PullRequest,
  { clock, mayBeEmpty }: WaitingPullOptions,
): WaitingPull => {
  const { promise: ended, resolve } = deferred();
  const taken: Taken[] = [];
  let cancelTimer: (() => void) | undefined;

  const end = (): void => {
    cancelTimer?.();
    signal.removeEventListener("abort", end);
    resolve();
  };

  const pull = {
    taken,
    missing: maxRecords,
    bytesLeft: MAX_ANSWER_BYTES,
    isOverdue: false,
    fault: undefined as GatewayError | undefined,
    ended,
    add: (one: Taken) => {
      taken.push(one);
      pull.missing -= one.records.length;
      for (const { cost } of one.records) pull.bytesLeft -= cost;
      if (pull.isOverdue) end();
    },
    startWait: () => {
      cancelTimer ??= clock.after(waitMs, () => {
        if (taken.length > 0 || mayBeEmpty()) end();
        else pull.isOverdue = true;
      });
    },
    end,
    fail: (fault: GatewayError) => {
      pull.fault = fault;
      end();
    },
  };
  signal.addEventListener("abort", end);
  return pull;
};

const deferred = (): { promise: Promise<void>; resolve: () => void } => {
  let resolve = (): void => undefined;
  const promise = new Promise<void>((settle) => {
    resolve = settle;
  });
  return { promise, resolve };
};
