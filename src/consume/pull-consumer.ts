/** The pulls of one consumer: they wait at its member's door, and share what comes in the order in which they came. */
import { asGatewayError, GatewayError } from "../errors.ts";
import type { Clock } from "../lib/clock.ts";
import { createPullMember, type PullMember, type PullMemberOptions } from "./pull-member.ts";
import type { Taken } from "./partition-hand-out.ts";
import { createWaitingPull, type Pull, type PullRequest, type WaitingPull } from "./waiting-pull.ts";

export interface PullConsumer {
  readonly owner: string;
  /** Milliseconds of the clock; undefined: a call waits, or its answer is being written. */
  readonly idleSince: number | undefined;
  pull(request: PullRequest): Promise<Pull>;
  /** Ends the pulls that wait, and leaves the group once the fate of every answer is known. */
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
  /** From here on it takes no pulls. */
  readonly onLeaving: () => void;
  /** The group is left. */
  readonly onLeft: () => void;
}

/** What a member keeps for pulls to come. */
const MAX_BUFFERED_RECORDS = 1000;
const MAX_BUFFERED_BYTES = 2 * 1024 * 1024;
/** Before a member that has not heard from its group is asked again whether it has. */
const UNCONFIRMED_MS = 250;

export const createPullConsumer = (options: PullConsumerOptions): PullConsumer => {
  const { clock, joinMs, onError, onLeaving, onLeft } = options;
  const line = createLine(clock, () => member);
  const activity = createActivity(options, () => void close());
  let member: PullMember | undefined;

  const joined = createPullMember({
    ...options,
    maxBufferedRecords: MAX_BUFFERED_RECORDS,
    maxBufferedBytes: MAX_BUFFERED_BYTES,
    isIdle: () => activity.idleSince !== undefined,
    events: eventsOf(line, onError),
  }).then(
    (created) => {
      member = created;
      line.fill();
    },
    (error: unknown) => {
      onLeaving();
      onLeft();
      line.note(asGatewayError(error));
      line.end();
    },
  );

  const leave = async (): Promise<void> => {
    onLeaving();
    line.end();
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
    line.add(wait);
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

const eventsOf = (line: Line, onError: PullConsumerOptions["onError"]): PullMemberOptions["events"] => ({
  onFree: line.fill,
  onAssigned: line.startWaits,
  // Answers with records of these partitions are written and counted while the partitions are still ours.
  onRevoked: line.end,
  onError: (error) => {
    onError(error);
    line.note(error);
  },
  // What isn't stored comes again later. It says nothing of the events that there are now.
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

/** The pulls that wait, first come, first served. */
interface Line {
  add(pull: WaitingPull): void;
  /** Hands out what the member has. */
  readonly fill: () => void;
  /** The group's partitions are known, for those in the line and those to come. */
  readonly startWaits: () => void;
  note(fault: GatewayError): void;
  readonly end: () => void;
}

const createLine = (clock: Clock, member: () => PullMember | undefined): Line => {
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
        // Waiting for memory with memory in hand would stop everyone.
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

/** Is the pull full? If not, there was no more to be had. */
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
 * Why an empty answer would be a lie, and why records may not be handed out. Without a member there is nobody who could say
 * that there are no records.
 */
const faultOf = ({ taken, fault }: WaitingPull, member: PullMember | undefined): GatewayError | undefined => {
  if (member?.isConfirmed === false) return fault ?? new GatewayError("BROKER_UNAVAILABLE");
  if (taken.length > 0) return undefined;
  if (member?.lacksMemory() === true)
    return new GatewayError("OVERLOADED", { retryAfter: 1, message: NO_MEMORY });
  return fault ?? (member === undefined ? new GatewayError("BROKER_UNAVAILABLE") : undefined);
};

/** A partition's records go out in order, also where some were released while others were taken. */
const byOffset = ({ records: [a] }: Taken, { records: [b] }: Taken): number =>
  (a?.offset ?? 0n) < (b?.offset ?? 0n) ? -1 : 1;

/** Is there a pull that waits or whose answer's fate is not known? */
interface Activity {
  /** Milliseconds of the clock; undefined: there is one. */
  readonly idleSince: number | undefined;
  begin(): void;
  end(): void;
  /** Resolves when there is none, and keeps it from being called idle. */
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
