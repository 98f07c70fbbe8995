/** The waiting pulls of one topic of a group. They share the records that there are, and take turns. */
import { GatewayError } from "../errors.ts";
import { type Clock } from "../lib/clock.ts";
import type { PullMember } from "./pull-member.ts";
import type { WaitingPull } from "./waiting-pull.ts";

export interface WaitingPulls {
  readonly add: (pull: WaitingPull) => void;
  /** Hands out the records that the member has. */
  readonly fill: () => void;
  /** A leader has answered: pulls whose time is over get their empty answer if it is true now. */
  readonly endOverdue: () => void;
  /** The partitions are assigned: starts the wait of all present and later pulls. */
  readonly startWaits: () => void;
  /** Ends the pulls that have records. */
  readonly endFilled: () => void;
  /** The reason why leaders or the group can't be reached, for the pulls that fail. */
  readonly note: (fault: GatewayError) => void;
  readonly fail: (fault: GatewayError) => void;
}

type Member = Pick<PullMember, "take" | "free" | "isConfirmed" | "isStarved" | "isCurrent">;

/** Milliseconds between two checks whether the group has answered the member's heartbeat. */
const UNCONFIRMED_MS = 250;
/** Milliseconds between two checks whether the leaders answer. */
const CHECK_MS = 1000;
/** Waiting pulls fail if the group or a leader has not answered for this time. A call gets its 503 within ten seconds. */
const AWAY_MS = 8000;

export const createWaitingPulls = (clock: Clock, member: Member): WaitingPulls => {
  const pulls = new Set<WaitingPull>();
  let isAssigned = false;
  let cancelRetry = (): void => undefined;
  let lastFault: GatewayError | undefined;

  const end = (pull: WaitingPull): void => {
    pulls.delete(pull);
    pull.end();
  };
  const fail = (fault: GatewayError): void => {
    for (const pull of pulls) {
      pulls.delete(pull);
      pull.fail(fault);
    }
  };
  const endFilled = (): void => {
    for (const pull of pulls) if (pull.taken.length > 0) end(pull);
  };
  const watch = createWatch(clock, member, {
    isWaiting: () => pulls.size > 0,
    onAway: () => {
      endFilled();
      fail(lastFault ?? new GatewayError("BROKER_UNAVAILABLE"));
    },
  });

  const fill = (): void => {
    cancelRetry();
    if (!member.isConfirmed) {
      if (pulls.size > 0) cancelRetry = clock.after(UNCONFIRMED_MS, fill);
      return;
    }
    while (pulls.size > 0 && member.free > 0) share(pulls, member);
    // A pull that holds records must not wait for memory: its own records may be the memory that is missing.
    if (member.isStarved) endFilled();
  };

  return {
    fill,
    add: (pull) => {
      pulls.add(pull);
      void pull.ended.then(() => pulls.delete(pull));
      watch.start();
      if (isAssigned) pull.startWait();
      fill();
    },
    endOverdue: () => {
      lastFault = undefined;
      for (const pull of pulls) if (pull.isOverdue && member.isCurrent) end(pull);
    },
    startWaits: () => {
      isAssigned = true;
      for (const pull of pulls) pull.startWait();
    },
    endFilled,
    note: (fault) => {
      lastFault = fault;
    },
    fail,
  };
};

/** Gives each pull an equal part of the records. A pull that needs more waits behind the others. */
const share = (pulls: Set<WaitingPull>, member: Member): void => {
  const part = Math.max(1, Math.ceil(member.free / pulls.size));
  for (const pull of [...pulls]) {
    const taken = member.take(Math.min(pull.missing, part), pull.bytesLeft);
    if (taken.length === 0) return;
    for (const one of taken) pull.add(one);
    pulls.delete(pull);
    if (pull.missing <= 0 || pull.bytesLeft <= 0) pull.end();
    else pulls.add(pull);
  }
};

interface WatchEvents {
  readonly isWaiting: () => boolean;
  /** The group or a leader has not answered for too long. */
  readonly onAway: () => void;
}

/** Looks while pulls wait whether the member is current. */
const createWatch = (clock: Clock, member: Member, { isWaiting, onAway }: WatchEvents) => {
  let isRunning = false;
  let currentAt = 0;

  const look = (): void => {
    if (member.isCurrent || member.isStarved) currentAt = clock.now();
    if (clock.now() - currentAt >= AWAY_MS) onAway();
    isRunning = isWaiting();
    if (isRunning) clock.after(CHECK_MS, look);
  };

  return {
    start: (): void => {
      if (isRunning) return;
      isRunning = true;
      currentAt = clock.now();
      clock.after(CHECK_MS, look);
    },
  };
};
