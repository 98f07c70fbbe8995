/** Partitions by the classic group protocol: a member gives all of them up before it joins again. */
import { GatewayError } from "../../../errors.ts";
import { systemClock } from "../../../lib/clock.ts";
import { decodeAssignment, encodeSubscription } from "../../consumer-protocol.ts";
import type { Groups, MemberOfGeneration } from "../../groups.ts";
import { type Assigned as Joined, createMembership, type Membership } from "../../membership.ts";
import type { GroupPosition, TopicPartition } from "../../positions.ts";
import { ASSIGNOR, type CountPartitions } from "../assigner.ts";
import type { MemberContext } from "../member.ts";
import type { Assignment, AssignmentHandlers } from "./assignment.ts";
import { assignBySubscription } from "./assignor.ts";

export interface ClassicParts {
  readonly groups: Groups;
  readonly countPartitions: CountPartitions;
  /** Milliseconds. Default: 10,000. */
  readonly sessionTimeout: number | undefined;
}

/** With a session timeout of 10 s, the partitions of a crashed member are assigned to other members within 15 s. */
const SESSION_TIMEOUT = 10_000;
/** The membership gives a rebalance half of it. */
const REBALANCE_TIMEOUT = 20_000;
/** Milliseconds between two counts of the partitions. Only the leader counts. */
const COUNT_MS = 30_000;

interface State extends ClassicParts {
  readonly topics: readonly string[];
  readonly handlers: AssignmentHandlers;
  /** Commits carry this generation. undefined: there is no assignment. */
  member: MemberOfGeneration | undefined;
  held: readonly TopicPartition[];
  /** The end of the partitions of the latest assignment. */
  ending: Promise<void>;
  /** The partitions of each topic when this member assigned them as the leader. */
  counts: ReadonlyMap<string, number>;
}

/** Partitions end under their generation. The join waits for the promise, except after a lost session. */
const end = (state: State): Promise<void> => {
  const { held } = state;
  state.held = [];
  if (held.length > 0) state.ending = state.handlers.onEnd(held);
  return state.ending;
};

const assigned = (state: State, { member, isLeader, assignment }: Joined): void => {
  state.member = member;
  if (!isLeader) state.counts = new Map();
  state.handlers.onJoined();
  void state.ending.then(() => {
    if (state.member !== member) return;
    state.held = decodeAssignment(assignment)?.partitions ?? [];
    state.handlers.onBegin(state.held);
  });
};

/** A rebalance of the leader assigns added partitions. */
const watchCounts = (state: State, rejoin: () => void): (() => void) => {
  const hasChanged = async (): Promise<boolean> => {
    for (const [topic, count] of state.counts)
      if ((await state.countPartitions(topic)) !== count) return true;
    return false;
  };
  const look = (): void => {
    void hasChanged().then(
      (changed) => {
        if (changed) rejoin();
      },
      () => undefined,
    );
    cancel = systemClock.after(COUNT_MS, look);
  };
  let cancel = systemClock.after(COUNT_MS, look);
  return () => {
    cancel();
  };
};

const membershipOf = (state: State, group: string): Membership => {
  const { groups, topics, handlers, countPartitions, sessionTimeout = SESSION_TIMEOUT } = state;
  return createMembership({
    ...{ groups, group, sessionTimeout, clock: systemClock },
    rebalanceTimeout: REBALANCE_TIMEOUT,
    handlers: {
      protocols: () => [
        { name: ASSIGNOR, metadata: encodeSubscription({ topics, userData: Buffer.alloc(0) }) },
      ],
      assign: async ({ members }) => {
        const { counts, assignments } = await assignBySubscription(countPartitions, members);
        state.counts = counts;
        return assignments;
      },
      onAssigned: (joined) => {
        assigned(state, joined);
      },
      onRevoked: () => end(state),
      onEnded: () => {
        void end(state);
        state.member = undefined;
      },
      onError: handlers.onError,
    },
  });
};

export const createClassicGroup = (
  parts: ClassicParts,
  { group, topics }: { readonly group: string } & Pick<MemberContext, "topics">,
  handlers: AssignmentHandlers,
): Assignment => {
  const { sessionTimeout = SESSION_TIMEOUT } = parts;
  const state: State = {
    ...{ ...parts, topics, handlers },
    member: undefined,
    held: [],
    ending: Promise.resolve(),
    counts: new Map(),
  };
  const membership = membershipOf(state, group);
  let unwatch = (): void => undefined;

  return {
    get silence() {
      return membership.silence() / sessionTimeout;
    },
    start: () => {
      membership.start();
      unwatch = watchCounts(state, membership.rejoin);
    },
    commit: async (positions: readonly GroupPosition[]) => {
      if (state.member === undefined) throw new GatewayError("BROKER_UNAVAILABLE", { cause: "not a member" });
      const answer = await parts.groups.commit(state.member, positions).catch((cause: unknown) => {
        throw new GatewayError("BROKER_UNAVAILABLE", { cause });
      });
      if (answer !== "stored")
        throw new GatewayError("BROKER_UNAVAILABLE", { cause: `the commit is ${answer}` });
    },
    leave: async () => {
      unwatch();
      await membership.leave();
    },
  };
};
