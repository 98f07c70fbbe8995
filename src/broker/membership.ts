/**
 * A member of a consumer group, by Kafka's classic group protocol: it joins, sends heartbeats, joins again when the group
 * rebalances, and becomes a new member when its session has ended.
 */
import type { GroupProtocol, Joined, MemberAssignment, MemberOfGeneration } from "./groups.ts";
import { asGatewayError } from "../errors.ts";
import { pause } from "../lib/clock.ts";
import { createSession, type Session, type SessionHandlers, type SessionOptions } from "./group-session.ts";

export interface MembershipOptions extends SessionOptions {
  readonly handlers: MembershipHandlers;
  /** Checked before each join: while it returns false, the member does not join. Default: always true. */
  readonly mayJoin?: () => boolean;
}

export interface MembershipHandlers extends SessionHandlers {
  /** The assignors that this member supports, with what it tells the leader. Called before each join. */
  readonly protocols: () => readonly GroupProtocol[];
  /** Called if this member is the leader. If it rejects, the member joins again. */
  readonly assign: (joined: Pick<Joined, "protocol" | "members">) => Promise<readonly MemberAssignment[]>;
  readonly onAssigned: (assigned: Assigned) => void;
}

export interface Assigned {
  /** Commits of this assignment carry this member id and generation. */
  readonly member: MemberOfGeneration;
  readonly isLeader: boolean;
  readonly assignment: Buffer;
}

export interface Membership extends Pick<Session, "silence" | "heartbeat"> {
  readonly start: () => void;
  /** Joins again, with what `protocols` returns then. Kafka rebalances only if that has changed, or for the leader. */
  readonly rejoin: () => void;
  /** Leaves the group. Resolves even if the group can't be reached. */
  leave(): Promise<void>;
}

/** Milliseconds between two joins after a fault, and between two checks of `mayJoin`. */
const AGAIN_MS = 500;

export const createMembership = (options: MembershipOptions): Membership => {
  const { groups, group } = options;
  const session = createSession(options);
  const left = new AbortController();
  let running: Promise<void> | undefined;

  return {
    start: () => {
      running ??= run(options, session, left.signal);
    },
    rejoin: session.rejoin,
    silence: session.silence,
    heartbeat: session.heartbeat,
    leave: async () => {
      left.abort();
      session.stop();
      await running;
      const memberId = session.forget();
      if (memberId !== "") await groups.leave(group, memberId).catch(() => undefined);
    },
  };
};

const run = async (options: MembershipOptions, session: Session, left: AbortSignal): Promise<void> => {
  const { clock, mayJoin = () => true } = options;
  const isLeft = (): boolean => left.aborted;
  while (!isLeft()) {
    await session.revoke();
    if (!mayJoin()) {
      await pause(clock, AGAIN_MS, left);
      continue;
    }
    const over = session.begin();
    try {
      if (await joinOnce(options, session, over)) await session.rebalanceNeeded();
    } catch (error) {
      if (over.aborted) continue;
      options.handlers.onError(asGatewayError(error));
      await pause(clock, AGAIN_MS, left);
    }
  }
};

/** False: the group rebalances again, or the session has ended. */
const joinOnce = async (
  { groups, group, sessionTimeout, rebalanceTimeout, handlers }: MembershipOptions,
  session: Session,
  over: AbortSignal,
): Promise<boolean> => {
  const { memberId } = session;
  const request = { group, memberId, protocols: handlers.protocols(), sessionTimeout, rebalanceTimeout };
  const joined = await groups.join(request, over);
  if (joined.status === "ended") {
    session.ended();
    return false;
  }
  const { generation, protocol, leader: isLeader, members } = joined;
  const member = { group, memberId: joined.memberId, generation };
  session.joined(member);
  const assignments = isLeader ? await handlers.assign({ protocol, members }) : [];
  const sentAt = session.now();
  const synced = await groups.sync({ ...member, protocol }, assignments, over);
  if (synced.status === "ended") session.ended();
  if (synced.status !== "assigned" || over.aborted) return false;
  session.assigned(sentAt);
  handlers.onAssigned({ member, isLeader, assignment: synced.assignment });
  return true;
};
