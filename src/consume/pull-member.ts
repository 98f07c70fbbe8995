/** A member of a consumer group that is kept between pulls. It buffers records, hands them out, and commits in order. */
import type { TopicPartitionOffset } from "../broker/broker.ts";
import { asGatewayError, type GatewayError } from "../errors.ts";
import { type Clock, pause } from "../lib/clock.ts";
import type { GroupReader } from "./group-reader.ts";
import { createHeldPartitions, type HeldPartitions, type HeldPartitionsOptions } from "./held-partitions.ts";
import type { Taken } from "./partition-hand-out.ts";
import type { Membership } from "./reading.ts";
import { READ_BYTES, type ReaderMemory } from "./reader-memory.ts";
import type { ReadingHandlers } from "./topic-reading.ts";

/** What a member needs of the reader's group. */
export interface MemberGroup {
  readonly reader: Pick<GroupReader, "subscribe">;
  /** As `ReaderGroup.isHeld`. */
  readonly isHeld: boolean;
}

export interface PullMemberOptions extends Omit<HeldPartitionsOptions, "memory" | "membership"> {
  readonly group: MemberGroup;
  readonly clock: Clock;
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
  /** A leader has answered: `isCurrent` may have become true. */
  readonly onAnswered: () => void;
  readonly onError: (error: GatewayError) => void;
  /** A commit has failed: its records are delivered again. */
  readonly onCommitFailed: (error: GatewayError) => void;
}

export interface PullMember extends Pick<
  HeldPartitions,
  "take" | "free" | "isStarved" | "lacksMemory" | "wanted"
> {
  /** False if another process may read for the group. No record may be handed out then. */
  readonly isConfirmed: boolean;
  /** False if a leader has not answered lately, or if no partitions are assigned now: there may be unread records. */
  readonly isCurrent: boolean;
  /** Marks records as consumed and commits the new positions. Never rejects: uncommitted records are delivered again. */
  consume(taken: readonly Taken[]): Promise<void>;
  release(taken: readonly Taken[]): void;
  /** Releases all records but the first `count`. Returns what still holds records. */
  keep(taken: readonly Taken[], count: number): readonly Taken[];
  close(): Promise<void>;
}

/** Subscribes to the topic. */
export const createPullMember = (options: PullMemberOptions): PullMember => {
  const { group, clock, topic, from, events, isIdle } = options;
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
  const commits = createCommits(clock, membership, events);
  const subscription = group.reader.subscribe(
    topic,
    { from, maxReadBytes: READ_BYTES },
    handlersOf(membership, { partitions, commits, events }),
  );
  membership.subscription = subscription;

  return {
    get isConfirmed() {
      return subscription.silence <= 1 && group.isHeld;
    },
    get isCurrent() {
      return subscription.isCurrent;
    },
    get free() {
      return partitions.free;
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
    keep: (taken, count) => {
      const kept = keepFirst(taken, count);
      partitions.noteSettled();
      events.onFree();
      return kept;
    },
    close: async () => {
      await subscription.close();
      commits.forget();
      partitions.close();
      memory.leave();
    },
  };
};

const keepFirst = (taken: readonly Taken[], count: number): readonly Taken[] => {
  const kept: Taken[] = [];
  let left = count;
  for (const one of taken) {
    const { length } = one.records;
    if (left > 0) kept.push(one);
    if (left <= 0) one.release();
    else one.keep(left);
    left -= length;
  }
  return kept;
};

interface MemberParts {
  readonly partitions: HeldPartitions;
  readonly commits: Commits;
  readonly events: MemberEvents;
}

const handlersOf = (
  membership: Membership,
  { partitions, commits, events }: MemberParts,
): ReadingHandlers => ({
  onAssigned: (assigned) => {
    commits.forget();
    // A single partition is assigned anew if it lacks the group's position.
    partitions.assign(assigned, assigned === membership.subscription?.assignment);
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
  onAnswered: events.onAnswered,
  onError: events.onError,
});

interface Commits {
  /** Resolves when the positions, or later ones, are committed, or when they no longer can be. */
  commit(positions: readonly TopicPartitionOffset[]): Promise<void>;
  /** Resolves when all positions are committed, or no longer can be. */
  done(): Promise<void>;
  /** The positions of an earlier assignment are not committed any more. */
  forget(): void;
}

/** Milliseconds after which the newest positions are committed again if a commit has failed. */
const AGAIN_MS = 250;

/**
 * Sends one commit at a time, so that a committed position never decreases. Positions that come meanwhile are committed
 * together. After a failed commit the newest positions are committed again: Kafka may carry the failed one out later.
 */
const createCommits = (
  clock: Clock,
  membership: Membership,
  { onCommitFailed }: Pick<MemberEvents, "onCommitFailed">,
): Commits => {
  /** Replaced with each assignment. */
  let waiting = new Map<number, TopicPartitionOffset>();
  let running: Promise<void> | undefined;

  const send = async (): Promise<void> => {
    const own = waiting;
    const positions = [...own.values()];
    own.clear();
    try {
      await membership.subscription?.commit(positions);
    } catch (error) {
      const fault = asGatewayError(error);
      onCommitFailed(fault);
      if (fault.code === "GROUP_REFUSED") return;
      for (const position of positions)
        if (!own.has(position.partition)) own.set(position.partition, position);
      await pause(clock, AGAIN_MS);
    }
  };
  const run = async (): Promise<void> => {
    while (waiting.size > 0) await send();
    running = undefined;
  };

  return {
    commit: (positions) => {
      for (const position of positions) waiting.set(position.partition, position);
      if (waiting.size > 0) running ??= run();
      return running ?? Promise.resolve();
    },
    done: () => running ?? Promise.resolve(),
    forget: () => {
      waiting = new Map();
    },
  };
};
