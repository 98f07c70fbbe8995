/** One pull: what it asks for, what it has so far, and when its wait is over. */
import type { GatewayError } from "../errors.ts";
import type { Clock } from "../lib/clock.ts";
import type { Taken } from "./partition-hand-out.ts";

export interface PullRequest {
  /** Who asks: bounds of memory, groups and waiting calls hold for each owner. */
  readonly owner: string;
  readonly group: string;
  /** Pulls under one name share a member; under several names they share the partitions. */
  readonly consumer: string;
  readonly topic: string;
  /** Where the group begins in partitions that it has no position in; asked of a consumer's first pull only. */
  readonly from: "earliest" | "latest";
  readonly maxRecords: number;
  /** Milliseconds to wait for that many, counted from when the group has given its partitions out. */
  readonly waitMs: number;
  /** The client has gone: nothing more is taken for it. */
  readonly signal: AbortSignal;
}

/** Records for one answer. Exactly one of the two is called, once the answer's fate is known. */
export interface Pull {
  readonly texts: readonly Buffer[];
  /** They were sent. Resolves when the group's position says so; never rejects. */
  consume(): Promise<void>;
  /** They were not: the next pull gets them. */
  release(): void;
}

export interface WaitingPull {
  readonly taken: readonly Taken[];
  /** Records and bytes that there is still room for. */
  readonly missing: number;
  readonly bytesLeft: number;
  /** What went wrong while it waited: to say that there are no records would be a lie then. */
  fault: GatewayError | undefined;
  readonly ended: Promise<void>;
  add(taken: Taken): void;
  /** The group's partitions are known: from now on `waitMs` counts, and only the first time. */
  startWait(): void;
  end(): void;
}

interface WaitingPullOptions {
  readonly clock: Clock;
  readonly joinMs: number;
}

/** Of one answer, whatever the number of records asked for. */
const MAX_ANSWER_BYTES = 16 * 1024 * 1024;

/** Begins to wait, at most for `joinMs` until `startWait`. The request's signal must not have been aborted yet. */
export const createWaitingPull = (
  { maxRecords, waitMs, signal }: PullRequest,
  { clock, joinMs }: WaitingPullOptions,
): WaitingPull => {
  const { promise: ended, resolve } = deferred();
  const taken: Taken[] = [];
  let started = false;

  const end = (): void => {
    cancelTimer();
    signal.removeEventListener("abort", end);
    resolve();
  };
  let cancelTimer = clock.after(Math.max(joinMs, waitMs), end);

  const pull = {
    taken,
    missing: maxRecords,
    bytesLeft: MAX_ANSWER_BYTES,
    fault: undefined as GatewayError | undefined,
    ended,
    add: (one: Taken) => {
      taken.push(one);
      pull.missing -= one.records.length;
      for (const { cost } of one.records) pull.bytesLeft -= cost;
    },
    startWait: () => {
      if (started) return;
      started = true;
      cancelTimer();
      cancelTimer = clock.after(waitMs, end);
    },
    end,
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
