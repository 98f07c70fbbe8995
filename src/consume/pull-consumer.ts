/** The pulls of one group and topic. They wait for the records of the group's member and share them. */
import { GatewayError } from "../errors.ts";
import type { Clock } from "../lib/clock.ts";
import { createPullMember, type PullMember, type PullMemberOptions } from "./pull-member.ts";
import type { Taken } from "./partition-hand-out.ts";
import { createWaitingPull, type Pull, type PullRequest, type WaitingPull } from "./waiting-pull.ts";
import { createWaitingPulls, type WaitingPulls } from "./waiting-pulls.ts";

export interface PullConsumer {
  /** Milliseconds since the epoch; undefined: a pull waits, or its answer is being written. */
  readonly idleSince: number | undefined;
  pull(request: PullRequest): Promise<Pull>;
  /** Fails the waiting pulls, and ends the subscription when all answers are settled. */
  close(fault: GatewayError): Promise<void>;
}

export interface PullConsumerOptions extends Pick<
  PullMemberOptions,
  "group" | "topic" | "from" | "owner" | "memory" | "toEvent" | "maxBufferedBytes"
> {
  readonly clock: Clock;
  readonly idleMs: number;
  /** A fault from which the consumer recovers by itself. */
  readonly onError: (error: GatewayError) => void;
  /** A commit has failed: its records may be delivered again. */
  readonly onCommitFailed: (error: GatewayError) => void;
  /** There was no pull for `idleMs`: the consumer has closed itself. */
  readonly onIdle: () => void;
}

/** Records that a member buffers for later pulls: as many as the largest pull takes. */
const MAX_BUFFERED_RECORDS = 5000;

export const createPullConsumer = (options: PullConsumerOptions): PullConsumer => {
  const { clock, onError, onCommitFailed } = options;
  const activity = createActivity(options);
  const member: PullMember = createPullMember({
    ...options,
    maxBufferedRecords: MAX_BUFFERED_RECORDS,
    isIdle: () => activity.idleSince !== undefined,
    events: {
      onFree: () => {
        waiting.fill();
      },
      onAssigned: () => {
        waiting.startWaits();
      },
      // These answers are written and committed before the partitions are assigned anew.
      onRevoked: () => {
        waiting.endFilled();
      },
      onAnswered: () => {
        waiting.endOverdue();
      },
      onError: (error) => {
        onError(error);
        waiting.note(error);
      },
      onCommitFailed,
    },
  });
  const waiting: WaitingPulls = createWaitingPulls(clock, member);

  const answer = (taken: readonly Taken[]): Pull => answerOf(taken, member, activity);

  return {
    get idleSince() {
      return activity.idleSince;
    },
    pull: async (request) => {
      const isGone = (): boolean => request.signal.aborted;
      activity.begin();
      if (isGone()) return answer([]);
      member.wanted();
      const wait = createWaitingPull(request, {
        clock,
        mayBeEmpty: () => member.isCurrent || member.isStarved,
      });
      waiting.add(wait);
      await wait.ended;
      const fault = isGone() ? undefined : faultOf(wait, member);
      if (fault === undefined) return answer(wait.taken);
      member.release(wait.taken);
      activity.end();
      throw fault;
    },
    close: async (fault) => {
      waiting.fail(fault);
      await activity.ceased();
      await member.close();
    },
  };
};

const answerOf = (taken: readonly Taken[], member: PullMember, activity: Activity): Pull => {
  let kept: readonly Taken[] = taken.toSorted(byOffset);
  return {
    events: kept.flatMap(({ records }) => records.map(({ event }) => event)),
    consume: async () => {
      const committed = member.consume(kept);
      activity.end();
      await committed;
    },
    release: () => {
      member.release(kept);
      activity.end();
    },
    keep: (count) => {
      kept = member.keep(kept, count);
    },
  };
};

const NO_MEMORY = "limits.memory is used up: there are events, but no memory to read them";

/** The reason why a pull fails; undefined: the pull gets its records, or an empty answer. */
const faultOf = ({ taken, fault }: WaitingPull, member: PullMember): GatewayError | undefined => {
  if (fault !== undefined) return fault;
  if (!member.isConfirmed) return new GatewayError("BROKER_UNAVAILABLE");
  if (taken.length > 0) return undefined;
  // A pull without records ends by itself only if each leader has just answered without records, or if no memory is left.
  return member.lacksMemory()
    ? new GatewayError("OVERLOADED", { retryAfter: 1, message: NO_MEMORY })
    : undefined;
};

/** Sorts by offset: a released part may have been taken again after a later part of its partition. */
const byOffset = ({ records: [a] }: Taken, { records: [b] }: Taken): number =>
  (a?.offset ?? 0n) < (b?.offset ?? 0n) ? -1 : 1;

/** Counts the pulls that wait or whose answer is not settled, and reports when there has been no pull for `idleMs`. */
interface Activity {
  /** Milliseconds since the epoch; undefined: there is a pull. */
  readonly idleSince: number | undefined;
  begin(): void;
  end(): void;
  /** Resolves when there is no pull. `onIdle` is not called from now on. */
  ceased(): Promise<void>;
}

const createActivity = ({
  clock,
  idleMs,
  onIdle,
}: Pick<PullConsumerOptions, "clock" | "idleMs" | "onIdle">): Activity => {
  let pulls = 0;
  let idleSince: number | undefined = clock.now();
  let cancelIdle = (): void => undefined;
  let onCeased: (() => void) | undefined;
  return {
    get idleSince() {
      return idleSince;
    },
    begin: () => {
      pulls += 1;
      idleSince = undefined;
      cancelIdle();
    },
    end: () => {
      pulls -= 1;
      if (pulls > 0) return;
      idleSince = clock.now();
      if (onCeased === undefined) cancelIdle = clock.after(idleMs, onIdle);
      else onCeased();
    },
    ceased: () =>
      new Promise((resolve) => {
        cancelIdle();
        onCeased = resolve;
        if (pulls === 0) resolve();
      }),
  };
};
