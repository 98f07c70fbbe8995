/**
 * The membership of this process in a reader's group. One member reads all topics of the group that are asked for. It offers
 * the assignor `range`, so ordinary consumers can share the group.
 */
import type { Broker, Subscription, SubscribeOptions, SubscriptionHandlers } from "../broker/broker.ts";
import {
  decodeAssignment,
  decodeSubscription,
  encodeAssignment,
  encodeSubscription,
} from "../broker/consumer-protocol.ts";
import type { Groups, JoinedMember, MemberAssignment, MemberOfGeneration } from "../broker/groups.ts";
import type { TopicPartition } from "../broker/positions.ts";
import { GatewayError } from "../errors.ts";
import { createMembership, type Membership, type MembershipHandlers } from "../home/membership.ts";
import { type Clock, pause } from "../lib/clock.ts";
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
  readonly onError: NonNullable<SubscriptionHandlers["onError"]>;
}

export interface ReaderSubscription extends Subscription {
  /** False: an answer without records would be a guess, because a leader has not answered within the last second. */
  readonly isCurrent: boolean;
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
  /** Gives up all partitions and leaves the group. Waits for the ends of answers for 10 s at most. */
  leave(): Promise<void>;
}

const REBALANCE_TIMEOUT_MS = 60_000;
/** Milliseconds that a rebalance waits for the ends of answers. */
const REVOKE_MS = 10_000;
/** Milliseconds between two checks of the leader whether topics have new partitions. */
const COUNT_MS = 30_000;

interface State {
  readonly readings: Map<string, TopicReading>;
  /** The topics of the newest join. */
  asked: ReadonlySet<string>;
  /** undefined: the group has assigned nothing at present, so no commit is possible. */
  member: MemberOfGeneration | undefined;
}

export const createGroupReader = (options: GroupReaderOptions): GroupReader => {
  const { broker, clock, group, sessionTimeout } = options;
  const state: State = { readings: new Map(), asked: new Set(), member: undefined };
  const { readings } = state;
  const assignor = createAssignor(broker);
  let onJoined = (): void => undefined;
  const joined = new Promise<void>((resolve) => (onJoined = resolve));
  const membership = createMembership({
    groups: broker.groups,
    group,
    clock,
    sessionTimeout,
    rebalanceTimeout: REBALANCE_TIMEOUT_MS,
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
      readings.set(topic, reading);
      membership.start();
      membership.rejoin();
      return subscriptionOf(options, state, membership, {
        reading,
        onClosed: () => {
          if (readings.get(topic) === reading) readings.delete(topic);
          membership.rejoin();
        },
      });
    },
    leave: async () => {
      stopCounting();
      onJoined();
      await revokeAll(clock, state);
      await membership.leave();
    },
  };
};

const revokeAll = async (clock: Clock, { readings }: State): Promise<void> => {
  const over = new AbortController();
  const revoked = Promise.all([...readings.values()].map((reading) => reading.revoke()));
  await Promise.race([revoked, pause(clock, REVOKE_MS, over.signal)]);
  over.abort();
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
    const topics = [...state.readings.keys()];
    state.asked = new Set(topics);
    return [{ name: RANGE, metadata: encodeSubscription({ topics, userData: NONE }) }];
  },
  assign: ({ members }) => assignor.assign(members),
  onRevoked: async () => {
    await revokeAll(clock, state);
    state.member = undefined;
  },
  onAssigned: ({ member, assignment }) => {
    state.member = member;
    const assigned = decodeAssignment(assignment)?.partitions ?? [];
    // A topic that was added after the join gets its partitions with the next one.
    for (const [topic, reading] of state.readings)
      if (state.asked.has(topic)) reading.assign(assigned.filter((one) => one.topic === topic));
    onJoined();
  },
  onEnded: () => {
    state.member = undefined;
    void revokeAll(clock, state);
  },
  onError,
});

const subscriptionOf = (
  { broker, sessionTimeout, starts }: GroupReaderOptions,
  state: State,
  membership: Membership,
  { reading, onClosed }: { readonly reading: TopicReading; readonly onClosed: () => void },
): ReaderSubscription => ({
  get assignment() {
    return reading.assignment;
  },
  get silence() {
    return membership.silence() / sessionTimeout;
  },
  get isCurrent() {
    return reading.isCurrent;
  },
  pause: reading.pause,
  resume: reading.resume,
  seek: reading.seek,
  commit: async (positions) => {
    const { member } = state;
    const answer = member === undefined ? "refused" : await broker.groups.commit(member, positions);
    if (answer === "stored") {
      starts.committed(positions);
      return;
    }
    if (answer === "refused") void membership.heartbeat();
    throw new GatewayError("BROKER_UNAVAILABLE", { cause: `the group has not stored the commit: ${answer}` });
  },
  close: async () => {
    await reading.revoke();
    onClosed();
  },
});

const RANGE = "range";
const NONE = Buffer.alloc(0);

interface Assignor {
  assign(members: readonly JoinedMember[]): Promise<readonly MemberAssignment[]>;
  /** True if a topic has another number of partitions than in the last assignment by this member. */
  hasChanged(): Promise<boolean>;
}

const createAssignor = (broker: Pick<Broker, "topic">): Assignor => {
  let counts: ReadonlyMap<string, number> = new Map();

  const countsOf = async (topics: Iterable<string>): Promise<ReadonlyMap<string, number>> =>
    new Map(
      await Promise.all(
        [...topics].map(async (topic): Promise<[string, number]> => [
          topic,
          (await broker.topic(topic))?.partitions ?? 0,
        ]),
      ),
    );

  return {
    assign: async (members) => {
      const topicsOf = new Map(
        members.map(({ memberId, metadata }) => [memberId, decodeSubscription(metadata)?.topics ?? []]),
      );
      counts = await countsOf(new Set([...topicsOf.values()].flat()));
      const ranges = rangesOf(topicsOf, counts);
      return members.map(({ memberId }) => ({
        memberId,
        assignment: encodeAssignment({ partitions: ranges.get(memberId) ?? [], userData: NONE }),
      }));
    },
    hasChanged: async () => {
      const now = await countsOf(counts.keys());
      return [...now].some(([topic, count]) => counts.get(topic) !== count);
    },
  };
};

/** Kafka's RangeAssignor: each topic's partitions in ranges, for its subscribers in the order of their member ids. */
export const rangesOf = (
  topicsOf: ReadonlyMap<string, readonly string[]>,
  counts: ReadonlyMap<string, number>,
): ReadonlyMap<string, readonly TopicPartition[]> => {
  const ranges = new Map<string, TopicPartition[]>([...topicsOf.keys()].map((memberId) => [memberId, []]));
  for (const [topic, count] of counts) {
    const subscribers = [...topicsOf.keys()].filter((id) => topicsOf.get(id)?.includes(topic)).sort();
    const size = Math.floor(count / subscribers.length);
    const larger = count % subscribers.length;
    let partition = 0;
    for (const [index, id] of subscribers.entries())
      for (let left = size + (index < larger ? 1 : 0); left > 0; left -= 1)
        ranges.get(id)?.push({ topic, partition: partition++ });
  }
  return ranges;
};

/** Joins again when topics have new partitions. Only the leader has counts. Returns a function that ends that. */
const watchCounts = (clock: Clock, assignor: Assignor, membership: Membership): (() => void) => {
  const look = (): void => {
    cancel = clock.after(COUNT_MS, look);
    assignor.hasChanged().then(
      (changed) => {
        if (changed) membership.rejoin();
      },
      () => undefined,
    );
  };
  let cancel = clock.after(COUNT_MS, look);
  return () => {
    cancel();
  };
};
