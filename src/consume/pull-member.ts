/** A member of a consumer group that is kept between pulls. It buffers records, hands them out, and commits in order. */
import type { Broker, SubscriptionHandlers, TopicPartitionOffset } from "../broker/broker.ts";
import { asGatewayError, type GatewayError } from "../errors.ts";
import { createHeldPartitions, type HeldPartitions, type HeldPartitionsOptions } from "./held-partitions.ts";
import type { Taken } from "./partition-hand-out.ts";
import type { Membership } from "./reading.ts";
import { READ_BYTES, type ReaderMemory } from "./reader-memory.ts";

export interface PullMemberOptions extends Omit<HeldPartitionsOptions, "memory" | "membership"> {
  readonly broker: Pick<Broker, "subscribe">;
  readonly group: string;
  /** Where the group starts in a partition without a committed position. */
  readonly from: "earliest" | "latest";
  readonly memory: ReaderMemory;
  /** The principal whose memory limit applies. */
  readonly owner: string;
  /** True if no pull waits and no answer is being written. */
  readonly isIdle: () => boolean;
  readonly events: MemberEvents;
}

interface MemberEvents {
  /** Records have become free, or memory has run out. */
  readonly onFree: () => void;
  /** The group has assigned partitions. */
  readonly onAssigned: () => void;
  /** Partitions are being revoked: answers with their records should be finished now. */
  readonly onRevoked: () => void;
  readonly onError: (error: GatewayError) => void;
  /** A commit has failed: its records are delivered again. */
  readonly onCommitFailed: (error: GatewayError) => void;
}

export interface PullMember extends Pick<HeldPartitions, "take" | "isStarved" | "lacksMemory" | "wanted"> {
  /** False if the group may have assigned the partitions to another member. No record may be handed out then. */
  readonly isConfirmed: boolean;
  /** Marks records as consumed and commits the new positions. Never rejects: uncommitted records are delivered again. */
  consume(taken: readonly Taken[]): Promise<void>;
  release(taken: readonly Taken[]): void;
  close(): Promise<void>;
}

/** Joins the group. Rejects as the broker's `subscribe` does. */
export const createPullMember = async (options: PullMemberOptions): Promise<PullMember> => {
  const { broker, group, topic, from, events, isIdle } = options;
  const memory = options.memory.join(options.owner, {
    isIdle,
    drop: () => {
      partitions.drop();
    },
    onMemory: () => {
      partitions.wake();
    },
  });
  const membership: Membership = { subscription: undefined };
  const partitions = createHeldPartitions({ ...options, memory, membership });
  const commits = createCommits(membership, events);
  const leave = (): void => {
    partitions.close();
    memory.leave();
  };
  const subscription = await broker
    .subscribe(
      { group, topics: [topic], from, maxReadBytes: READ_BYTES },
      handlersOf(partitions, commits, events),
    )
    .catch((error: unknown) => {
      leave();
      throw error;
    });
  membership.subscription = subscription;
  partitions.subscribed();

  return {
    get isConfirmed() {
      return subscription.silence <= 1;
    },
    get isStarved() {
      return partitions.isStarved;
    },
    lacksMemory: partitions.lacksMemory,
    wanted: partitions.wanted,
    take: partitions.take,
    consume: (taken) => {
      for (const one of taken) one.consume();
      partitions.noteSettled();
      return commits.commit(partitions.newPositions());
    },
    release: (taken) => {
      for (const one of taken) one.release();
      partitions.noteSettled();
      events.onFree();
    },
    close: async () => {
      await subscription.close();
      leave();
    },
  };
};

const handlersOf = (
  partitions: HeldPartitions,
  commits: Commits,
  events: MemberEvents,
): SubscriptionHandlers => ({
  onAssigned: (assigned) => {
    partitions.assign(assigned);
    events.onAssigned();
  },
  onRevoked: async (revoked) => {
    partitions.giveUp(revoked);
    events.onRevoked();
    // Offsets without a record may have been passed since the last answer: commits the position after them.
    void commits.commit(partitions.newPositions());
    await partitions.settled(revoked);
    await commits.done();
  },
  onRecords: (records) => {
    partitions.add(records);
    events.onFree();
  },
  onPassed: partitions.pass,
  onError: events.onError,
});

interface Commits {
  commit(positions: readonly TopicPartitionOffset[]): Promise<void>;
  done(): Promise<void>;
}

/** Commits one after the other, so that a committed position never decreases. */
const createCommits = (
  membership: Membership,
  { onCommitFailed }: Pick<MemberEvents, "onCommitFailed">,
): Commits => {
  let last = Promise.resolve();
  return {
    commit: (positions) => {
      if (positions.length === 0) return last;
      last = last
        .then(() => membership.subscription?.commit(positions))
        .catch((error: unknown) => {
          onCommitFailed(asGatewayError(error));
        });
      return last;
    },
    done: () => last,
  };
};
