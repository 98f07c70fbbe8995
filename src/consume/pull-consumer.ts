/** The pulls of one consumer. They wait for the records of its member and get them in the order of their arrival. */
import { asGatewayError, GatewayError } from "../errors.ts";
import type { Clock } from "../lib/clock.ts";
import { createPullMember, type PullMember, type PullMemberOptions } from "./pull-member.ts";
import type { Taken } from "./partition-hand-out.ts";
import { createWaitingPull, type Pull, type PullRequest, type WaitingPull } from "./waiting-pull.ts";

export interface PullConsumer {
  readonly owner: string;
  /** Milliseconds since the epoch; undefined: a pull waits, or its answer is being written. */
  readonly idleSince: number | undefined;
  pull(request: PullRequest): Promise<Pull>;
  /** Ends the waiting pulls, and leaves the group when all answers are settled. */
  close(): Promise<void>;
}

export interface PullConsumerOptions extends Pick<
  PullMemberOptions,
  "broker" | "group" | "topic" | "from" | "owner" | "memory" | "toText"
> {
  readonly clock: Clock;
  readonly idleMs: number;
  readonly joinMs: number;
  readonly onError: (error: GatewayError) => void;
  /** The consumer accepts no pulls from now on. */
  readonly onLeaving: () => void;
  /** The consumer has left the group. */
  readonly onLeft: () => void;
}

/** Records that a member buffers for later pulls. */
const MAX_BUFFERED_RECORDS = 1000;
const MAX_BUFFERED_BYTES = 2 * 1024 * 1024;
/** Milliseconds between two checks whether the group has answered the member's heartbeat. */
const UNCONFIRMED_MS = 250;

export const createPullConsumer = (options: PullConsumerOptions): PullConsumer => {
  const { clock, joinMs, onError, onLeaving, onLeft } = options;
  // undefined until the member has joined its group.
  let member: PullMember | undefined;
  const waiting = createWaitingPulls(clock, () => member);
  const activity = createActivity(options, () => void close());

  const joined = createPullMember({
    ...options,
    maxBufferedRecords: MAX_BUFFERED_RECORDS,
    maxBufferedBytes: MAX_BUFFERED_BYTES,
    isIdle: () => activity.idleSince !== undefined,
    events: eventsOf(waiting, onError),
  }).then(
    (created) => {
      member = created;
      waiting.fill();
    },
    (error: unknown) => {
      onLeaving();
      onLeft();
      waiting.note(asGatewayError(error));
      waiting.end();
    },
  );

  const leave = async (): Promise<void> => {
    onLeaving();
    waiting.end();
    await joined;
    await activity.ceased();
    await member?.close();
    onLeft();
  };
  let left: Promise<void> | undefined;
  const close = (): Promise<void> => (left ??= leave());

  const answer = (taken: readonly Taken[]): Pull => answerOf(taken, member, activity);

  const pull = async (request: PullRequest): Promise<Pull> => {
    activity.begin();
    if (request.signal.aborted) return answer([]);
    member?.wanted();
    const wait = createWaitingPull(request, { clock, joinMs });
    waiting.add(wait);
    await wait.ended;
    const fault = faultOf(wait, member);
    if (fault === undefined) return answer(wait.taken);
    member?.release(wait.taken);
    activity.end();
    throw fault;
  };

  return {
    owner: options.owner,
    get idleSince() {
      return activity.idleSince;
    },
    pull,
    close,
  };
};

const eventsOf = (
  waiting: WaitingPulls,
  onError: PullConsumerOptions["onError"],
): PullMemberOptions["events"] => ({
  onFree: waiting.fill,
  onAssigned: waiting.startWaits,
  // Ends the pulls now, so that their answers are written and committed before the partitions are revoked.
  onRevoked: waiting.end,
  onError: (error) => {
    onError(error);
    waiting.note(error);
  },
  // A failed commit is no fault of a pull: its records are only delivered again.
  onCommitFailed: onError,
});

const answerOf = (taken: readonly Taken[], member: PullMember | undefined, activity: Activity): Pull => ({
  texts: taken.toSorted(byOffset).flatMap(({ records }) => records.map(({ text }) => text)),
  consume: async () => {
    await member?.consume(taken);
    activity.end();
  },
  release: () => {
    member?.release(taken);
    activity.end();
  },
});

/** The waiting pulls, first come, first served. */
interface WaitingPulls {
  add(pull: WaitingPull): void;
  /** Hands out the records that the member has. */
  readonly fill: () => void;
  /** The partitions are assigned: starts the wait of all present and later pulls. */
  readonly startWaits: () => void;
  /** Stores the fault in all waiting pulls. */
  note(fault: GatewayError): void;
  readonly end: () => void;
}

const createWaitingPulls = (clock: Clock, member: () => PullMember | undefined): WaitingPulls => {
  const pulls = new Set<WaitingPull>();
  let assigned = false;
  let cancelRetry = (): void => undefined;

  const end = (pull: WaitingPull): void => {
    pulls.delete(pull);
    pull.end();
  };

  const fill = (): void => {
    cancelRetry();
    if (member()?.isConfirmed === false) {
      if (pulls.size > 0) cancelRetry = clock.after(UNCONFIRMED_MS, fill);
      return;
    }
    for (const pull of pulls) {
      if (!fillFrom(member(), pull)) {
        // A pull that holds records must not wait for memory: its own records may be the memory that is missing.
        if (member()?.isStarved === true && pull.taken.length > 0) end(pull);
        return;
      }
      end(pull);
    }
  };

  return {
    fill,
    add: (pull) => {
      pulls.add(pull);
      void pull.ended.then(() => pulls.delete(pull));
      if (assigned) pull.startWait();
      fill();
    },
    startWaits: () => {
      assigned = true;
      for (const pull of pulls) pull.startWait();
    },
    note: (fault) => {
      for (const pull of pulls) pull.fault = fault;
    },
    end: () => {
      for (const pull of pulls) end(pull);
    },
  };
};

/** Returns true if the pull is full, and false if the member has no more records. */
const fillFrom = (member: PullMember | undefined, pull: WaitingPull): boolean => {
  while (pull.missing > 0 && pull.bytesLeft > 0) {
    const taken = member?.take(pull.missing, pull.bytesLeft) ?? [];
    if (taken.length === 0) return false;
    for (const one of taken) pull.add(one);
  }
  return true;
};

const NO_MEMORY = "limits.memory is used up: there are events, but no memory to read them";

/**
 * The reason why a pull fails: its records may belong to another member now, or the gateway can't know that there are no
 * records. undefined: the pull gets its records, or an empty answer.
 */
const faultOf = ({ taken, fault }: WaitingPull, member: PullMember | undefined): GatewayError | undefined => {
  if (member?.isConfirmed === false) return fault ?? new GatewayError("BROKER_UNAVAILABLE");
  if (taken.length > 0) return undefined;
  if (member?.lacksMemory() === true)
    return new GatewayError("OVERLOADED", { retryAfter: 1, message: NO_MEMORY });
  return fault ?? (member === undefined ? new GatewayError("BROKER_UNAVAILABLE") : undefined);
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

const createActivity = (
  { clock, idleMs }: Pick<PullConsumerOptions, "clock" | "idleMs">,
  onIdle: () => void,
): Activity => {
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
