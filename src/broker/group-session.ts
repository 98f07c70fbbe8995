/**
 * The sessions of one member of a group, one after the other: the member id, the heartbeats, and how long the group has been
 * silent. A session ends when the group says so, when it is silent for the session timeout, or when a rebalance takes too
 * long: the group may remove a member although it answers its heartbeats.
 */
import type { Groups, HeartbeatAnswer, MemberOfGeneration } from "./groups.ts";
import { asGatewayError, type GatewayError } from "../errors.ts";
import type { Clock } from "../lib/clock.ts";

/** Times in milliseconds. */
export interface SessionOptions {
  readonly groups: Groups;
  readonly group: string;
  readonly clock: Clock;
  /** Milliseconds that grow also when the system's clock is set back. Default: `performance.now`. */
  readonly monotonic?: () => number;
  readonly sessionTimeout: number;
  readonly rebalanceTimeout: number;
  readonly handlers: SessionHandlers;
}

export interface SessionHandlers {
  /** The member is about to join again: the join waits for the promise, which must not reject. Called only if there is an assignment. */
  readonly onRevoked: () => Promise<void>;
  /**
   * The session has ended or may have ended: the group may have given the partitions to another member. May be called
   * without an assignment.
   */
  readonly onEnded: () => void;
  /** A fault from which the member recovers by itself. */
  readonly onError: (error: GatewayError) => void;
}

export interface Session {
  /** The member must join again, after the present join if there is one. */
  readonly rejoin: () => void;
  /**
   * Milliseconds since the newest heartbeat was sent that the group has answered, by the monotonic clock or by the wall
   * clock, whichever is more. Infinity: there is no session.
   */
  readonly silence: () => number;
  /** Sends a heartbeat after this call. Resolves to true if the group has answered it and knows the member. */
  readonly heartbeat: () => Promise<boolean>;
  /** Empty: the next join makes a new member. */
  readonly memberId: string;
  now(): Moment;
  /** A join begins. The signal is aborted when the session ends. */
  begin(): AbortSignal;
  joined(member: MemberOfGeneration): void;
  /** `sentAt`: when the answered request was sent. */
  assigned(sentAt: Moment): void;
  /** Calls `onRevoked` if there is an assignment. Never rejects. */
  revoke(): Promise<void>;
  /** The group doesn't know the member any more, or may not know it. */
  ended(): void;
  /** Resolves when the member must join again. */
  rebalanceNeeded(): Promise<void>;
  /** Ends the heartbeats, and what waits. */
  stop(): void;
  /** Forgets the session without `onEnded`. Returns its member id; empty: there was none. */
  forget(): string;
}

/** A time by both clocks: the wall clock goes on while a virtual machine stands still, and can be set back. */
interface Moment {
  readonly monotonic: number;
  readonly wall: number;
}

interface State {
  member: MemberOfGeneration | undefined;
  memberId: string;
  /** When the newest answered heartbeat was sent. */
  answered: Moment | undefined;
  isAssigned: boolean;
  /** The session has had an assignment. */
  hadAssignment: boolean;
  /** When the group told of the present rebalance first. */
  rebalancingSince: Moment | undefined;
  /** Aborted when the session ends. */
  over: AbortController;
  /** The member must join again after the present join. */
  isDue: boolean;
  onDue: () => void;
  isStopped: boolean;
}

const HEARTBEAT_MS = 1000;

export const createSession = (options: SessionOptions): Session => {
  const clocks = createClocks(options);
  const state = initialState();
  const beat = createBeat(options, state, clocks.now);
  const stopTimer = startHeartbeats(options, state, { beat, since: clocks.since });

  return {
    get memberId() {
      return state.memberId;
    },
    now: clocks.now,
    heartbeat: beat.fresh,
    silence: () => clocks.since(state.answered),
    rejoin: () => {
      due(state);
    },
    begin: () => {
      state.isDue = false;
      state.over = new AbortController();
      if (state.isStopped) state.over.abort();
      return state.over.signal;
    },
    joined: (member) => {
      state.member = member;
      state.memberId = member.memberId;
    },
    assigned: (sentAt) => {
      state.answered = sentAt;
      state.isAssigned = true;
      state.hadAssignment = true;
      state.rebalancingSince = undefined;
    },
    revoke: () => revoke(options, state),
    ended: () => {
      end(options, state);
    },
    rebalanceNeeded: () => untilDue(state),
    stop: () => {
      state.isStopped = true;
      stopTimer();
      state.over.abort();
      due(state);
    },
    forget: () => forget(state),
  };
};

const initialState = (): State => ({
  member: undefined,
  memberId: "",
  answered: undefined,
  isAssigned: false,
  hadAssignment: false,
  rebalancingSince: undefined,
  over: new AbortController(),
  isDue: false,
  onDue: () => undefined,
  isStopped: false,
});

const createClocks = ({ clock, monotonic = () => performance.now() }: SessionOptions) => ({
  now: (): Moment => ({ monotonic: monotonic(), wall: clock.now() }),
  since: (moment: Moment | undefined): number =>
    moment === undefined ? Infinity : Math.max(monotonic() - moment.monotonic, clock.now() - moment.wall),
});

const revoke = async ({ handlers }: SessionOptions, state: State): Promise<void> => {
  if (!state.isAssigned) return;
  await handlers.onRevoked();
  state.isAssigned = false;
};

const untilDue = (state: State): Promise<void> =>
  new Promise((resolve) => {
    state.onDue = resolve;
    if (state.isDue) resolve();
  });

const due = (state: State): void => {
  state.isDue = true;
  state.onDue();
};

const forget = (state: State): string => {
  const { memberId } = state;
  state.member = undefined;
  state.memberId = "";
  state.answered = undefined;
  state.isAssigned = false;
  state.hadAssignment = false;
  state.rebalancingSince = undefined;
  return memberId;
};

const end = ({ groups, group, handlers }: SessionOptions, state: State): void => {
  const { hadAssignment } = state;
  const memberId = forget(state);
  state.over.abort();
  // After an assignment the session is left to end: what was sent under the assignment may still be on its way.
  if (!hadAssignment && memberId !== "") void groups.leave(group, memberId).catch(() => undefined);
  handlers.onEnded();
  due(state);
};

interface Beat {
  /** True while a heartbeat waits for its answer. */
  readonly isWaiting: () => boolean;
  readonly now: () => Promise<boolean>;
  /** As `Membership.heartbeat`. */
  readonly fresh: () => Promise<boolean>;
}

const createBeat = (options: SessionOptions, state: State, now: () => Moment): Beat => {
  let waiting: Promise<boolean> | undefined;

  const send = async (): Promise<boolean> => {
    const { member } = state;
    if (member === undefined) return false;
    const sentAt = now();
    try {
      const answer = await options.groups.heartbeat(member);
      return state.member === member && take(answer, sentAt);
    } catch (error) {
      options.handlers.onError(asGatewayError(error));
      return false;
    }
  };
  const take = (answer: HeartbeatAnswer, sentAt: Moment): boolean => {
    if (answer === "ended") {
      end(options, state);
      return false;
    }
    if (answer !== "stable") {
      state.rebalancingSince ??= sentAt;
      // Without an assignment a join is under way: its answer ends the rebalance.
      if (state.isAssigned) due(state);
    }
    if (answer === "outdated") return false;
    state.answered = sentAt;
    return true;
  };
  const sendNow = (): Promise<boolean> => {
    const sent = send().finally(() => {
      if (waiting === sent) waiting = undefined;
    });
    waiting = sent;
    return sent;
  };

  return {
    isWaiting: () => waiting !== undefined,
    now: sendNow,
    fresh: async () => {
      await waiting;
      return sendNow();
    },
  };
};

/** Sends a heartbeat each second. Returns a function that ends that. */
const startHeartbeats = (
  options: SessionOptions,
  state: State,
  { beat, since }: { readonly beat: Beat; readonly since: (moment: Moment | undefined) => number },
): (() => void) => {
  const { clock, sessionTimeout, rebalanceTimeout } = options;
  const isOver = (): boolean =>
    since(state.answered) >= sessionTimeout ||
    (state.rebalancingSince !== undefined && since(state.rebalancingSince) >= rebalanceTimeout / 2);
  const onTimer = (): void => {
    // Before the first assignment there is nothing to lose: the join itself is bounded by the rebalance timeout.
    if (state.answered !== undefined && isOver()) end(options, state);
    if (!beat.isWaiting()) void beat.now();
    cancel = clock.after(HEARTBEAT_MS, onTimer);
  };
  let cancel = clock.after(HEARTBEAT_MS, onTimer);
  return () => {
    cancel();
  };
};
