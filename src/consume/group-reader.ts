/**
 * The membership of this process in a reader's group. One member reads all topics of the group that are asked for. It offers
 * the assignor `range`, so ordinary consumers can share the group.
 */
import type { Broker, Subscription, SubscribeOptions, SubscriptionHandlers } from "../broker/broker.ts";
import { decodeAssignment, encodeSubscription } from "../broker/consumer-protocol.ts";
import type { Groups, MemberOfGeneration } from "../broker/groups.ts";
import type { GroupPosition, TopicPartition } from "../broker/positions.ts";
import { GatewayError } from "../errors.ts";
import { createMembership, type Membership, type MembershipHandlers } from "../broker/membership.ts";
import { atMost, type Clock } from "../lib/clock.ts";
import { type Assignor, createAssignor, RANGE, watchCounts } from "./range-assignor.ts";
import type { StartOffsets } from "./start-offsets.ts";
import {
  createTopicReading,
  type ReadingHandlers,
  type TopicReading,
  type TopicReadingOptions,
} from "./topic-reading.ts";

export interface GroupReaderOptions {
  readonly broker: TopicReadingOptions["broker"] & Pick<Broker, "topic"> & { readonly groups: Groups };
  readonly clock: Clock;
  readonly group: string;
  /** Milliseconds. */
  readonly sessionTimeout: number;
  readonly starts: StartOffsets;
  /** As `MembershipOptions.mayJoin`. Default: always true. */
  readonly mayJoin?: () => boolean;
  readonly onError: NonNullable<SubscriptionHandlers["onError"]>;
}

export interface ReaderSubscription extends Subscription {
  /**
   * False: an answer without records would be a guess, because no partitions are assigned now, or because a leader has not
   * answered within the last second.
   */
  readonly isCurrent: boolean;
  /**
   * Commits under the member id and generation of the present assignment; the caller must not pass positions of an earlier
   * one. Rejects with GROUP_REFUSED if no commit under this assignment can succeed, and with BROKER_UNAVAILABLE if it can.
   */
  commit(positions: readonly GroupPosition[]): Promise<void>;
}

export interface GroupReader {
  /** Joins the group without topics. Resolves when the group has answered. */
  join(): Promise<void>;
  /** As `Broker.subscribe`, for one topic. A topic has one subscription at a time. Joins the group with the first one. */
  subscribe(
    topic: string,
    options: Required<Pick<SubscribeOptions, "from" | "maxReadBytes">>,
    handlers: ReadingHandlers,
  ): ReaderSubscription;
  /** Takes partitions without reading them. The member has one follower; it is used instead of subscriptions. */
  follow(handlers: FollowerHandlers): Follower;
  /** Gives up all partitions and leaves the group. Waits for the ends of answers for 10 s at most. */
  leave(): Promise<void>;
}

export interface Follower {
  /** Takes the partitions of these topics instead of those before. Joins the group, again if the topics have changed. */
  take(topics: ReadonlySet<string>): void;
  /** As `Subscription.silence`. */
  readonly silence: number;
  /** As `Subscription.commit`, but for any partition. */
  commit(positions: readonly GroupPosition[]): Promise<void>;
}

export interface FollowerHandlers {
  readonly onAssigned: (assigned: FollowerAssignment) => void;
  /** A rebalance begins: no commit is possible until the next assignment. */
  readonly onRevoked: () => void;
  /** Other members may have the partitions. */
  readonly onEnded: () => void;
}

export interface FollowerAssignment {
  /** If it is the next one after that of the assignment before, no other member had the partitions that both have. */
  readonly generation: number;
  /** The topics that this member has asked for. */
  readonly topics: ReadonlySet<string>;
  readonly partitions: readonly TopicPartition[];
}

const REBALANCE_TIMEOUT_MS = 60_000;
/** Milliseconds that a rebalance waits for the ends of answers. */
const REVOKE_MS = 10_000;

interface State {
  readonly readings: Map<string, TopicReading>;
  follower: (FollowerHandlers & { topics: ReadonlySet<string> }) | undefined;
  /** The topics of the newest join. */
  asked: ReadonlySet<string>;
  /** undefined: the group has assigned nothing at present, so no commit is possible. */
  member: MemberOfGeneration | undefined;
  /** Commits without an answer. */
  readonly committing: Set<Promise<unknown>>;
  isLeaving: boolean;
}

export const createGroupReader = (options: GroupReaderOptions): GroupReader => {
  const { broker, clock, group, sessionTimeout, mayJoin = () => true } = options;
  const state = initialState();
  const assignor = createAssignor(broker);
  let onJoined = (): void => undefined;
  const joined = new Promise<void>((resolve) => (onJoined = resolve));
  const membership = createMembership({
    groups: broker.groups,
    group,
    clock,
    sessionTimeout,
    rebalanceTimeout: REBALANCE_TIMEOUT_MS,
    mayJoin: () => !state.isLeaving && mayJoin(),
    handlers: membershipHandlers(options, state, { assignor, onJoined }),
  });
  const stopCounting = watchCounts(clock, assignor, membership);

  return {
    join: () => {
      membership.start();
      return joined;
    },
    subscribe: (topic, { from, maxReadBytes }, handlers) => {
      const reading = createTopicReading({ ...options, topic, from, maxReadBytes, handlers });
      state.readings.set(topic, reading);
      membership.start();
      membership.rejoin();
      return subscriptionOf(options, state, membership, {
        reading,
        onClosed: () => {
          if (state.readings.get(topic) === reading) state.readings.delete(topic);
          membership.rejoin();
        },
      });
    },
    follow: (handlers) => {
      const follower = { ...handlers, topics: new Set<string>() as ReadonlySet<string> };
      state.follower = follower;
      return {
        take: (topics) => {
          const isSame =
            topics.size === follower.topics.size && [...topics].every((topic) => follower.topics.has(topic));
          follower.topics = new Set(topics);
          membership.start();
          if (!isSame) membership.rejoin();
        },
        get silence() {
          return membership.silence() / sessionTimeout;
        },
        commit: (positions) => commit(options, state, membership, positions),
      };
    },
    leave: async () => {
      state.isLeaving = true;
      stopCounting();
      onJoined();
      await revokeAll(clock, state);
      await membership.leave();
    },
  };
};

const initialState = (): State => ({
  readings: new Map(),
  follower: undefined,
  asked: new Set(),
  member: undefined,
  committing: new Set(),
  isLeaving: false,
});

/** Also waits for the answers to commits: Kafka refuses a commit that it gets after the next join. */
const revokeAll = (clock: Clock, { readings, committing }: State): Promise<unknown> =>
  atMost(
    clock,
    REVOKE_MS,
    Promise.all([...readings.values()].map((reading) => reading.revoke())).then(() => answered(committing)),
  );

const answered = async (requests: ReadonlySet<Promise<unknown>>): Promise<void> => {
  while (requests.size > 0) await Promise.allSettled(requests);
};

interface HandlerParts {
  readonly assignor: Assignor;
  readonly onJoined: () => void;
}

const membershipHandlers = (
  { clock, onError }: GroupReaderOptions,
  state: State,
  { assignor, onJoined }: HandlerParts,
): MembershipHandlers => ({
  protocols: () => {
    const topics = [...state.readings.keys(), ...(state.follower?.topics ?? [])];
    state.asked = new Set(topics);
    return [{ name: RANGE, metadata: encodeSubscription({ topics, userData: NONE }) }];
  },
  assign: ({ members }) => assignor.assign(members),
  onRevoked: async () => {
    state.follower?.onRevoked();
    await revokeAll(clock, state);
    state.member = undefined;
  },
  onAssigned: ({ member, assignment }) => {
    state.member = member;
    const assigned = decodeAssignment(assignment)?.partitions ?? [];
    // A topic that was added after the join gets its partitions with the next one.
    for (const [topic, reading] of state.readings)
      if (state.asked.has(topic)) reading.assign(assigned.filter((one) => one.topic === topic));
    state.follower?.onAssigned({
      generation: member.generation,
      topics: state.asked,
      partitions: assigned,
    });
    onJoined();
  },
  onEnded: () => {
    state.member = undefined;
    state.follower?.onEnded();
    void revokeAll(clock, state);
  },
  onError,
});

const commit = async (
  { broker, starts }: GroupReaderOptions,
  { member, committing }: State,
  membership: Membership,
  positions: readonly GroupPosition[],
): Promise<void> => {
  const answer =
    member === undefined ? "refused" : await sent(committing, broker.groups.commit(member, positions));
  if (answer === "stored") {
    starts.committed(positions);
    return;
  }
  if (answer === "refused") void membership.heartbeat();
  const code = answer === "refused" ? "GROUP_REFUSED" : "BROKER_UNAVAILABLE";
  throw new GatewayError(code, { cause: `the group has not stored the commit: ${answer}` });
};

const sent = async <T>(inFlight: Set<Promise<unknown>>, request: Promise<T>): Promise<T> => {
  inFlight.add(request);
  try {
    return await request;
  } finally {
    inFlight.delete(request);
  }
};

const subscriptionOf = (
  options: GroupReaderOptions,
  state: State,
  membership: Membership,
  { reading, onClosed }: { readonly reading: TopicReading; readonly onClosed: () => void },
): ReaderSubscription => ({
  get assignment() {
    return reading.assignment;
  },
  get silence() {
    return membership.silence() / options.sessionTimeout;
  },
  get isCurrent() {
    return reading.isCurrent;
  },
  pause: reading.pause,
  resume: reading.resume,
  seek: reading.seek,
  commit: (positions) => commit(options, state, membership, positions),
  close: async () => {
    await reading.revoke();
    onClosed();
  },
});

const NONE = Buffer.alloc(0);
