/** One member of a consumer group, kept between its pulls: it buffers a little, hands out, and commits in order. */
import type {
  Broker,
  ConsumedRecord,
  Subscription,
  TopicPartition,
  TopicPartitionOffset,
} from "../../broker/broker.ts";
import { asGatewayError, type GatewayError } from "../../errors.ts";
import { createPartitionHandOut, type PartitionHandOut, type Taken } from "./partition-hand-out.ts";

export interface MemberOptions {
  readonly broker: Pick<Broker, "subscribe">;
  readonly group: string;
  readonly topic: string;
  /** Where the group begins in partitions that it has no position in. */
  readonly from: "earliest" | "latest";
  /** Free records, and bytes of them, from which on the partitions are paused. */
  readonly maxBufferedRecords: number;
  readonly maxBufferedBytes: number;
  readonly events: MemberEvents;
}

interface MemberEvents {
  /** Something is free that may not have been before. */
  readonly onFree: () => void;
  /** The group has been (re)balanced. */
  readonly onAssigned: () => void;
  /** Partitions are being taken away: whoever holds records should bring them to an end now. */
  readonly onRevoked: () => void;
  readonly onError: (error: GatewayError) => void;
}

export interface Member {
  /** Up to so many free records and bytes; empty: there are none. */
  take(maxRecords: number, maxBytes: number): readonly Taken[];
  /** Marks as consumed and commits what has become whole. Never rejects: what isn't committed comes again. */
  consume(taken: readonly Taken[]): Promise<void>;
  release(taken: readonly Taken[]): void;
  close(): Promise<void>;
}

/** Joins the group. Rejects as the broker's `subscribe` does. */
export const createMember = async (options: MemberOptions): Promise<Member> => {
  const { broker, group, topic, from, events } = options;
  const partitions = createPartitions(options);
  const commits = createCommits(events);

  const subscription = await broker.subscribe(
    { group, topics: [topic], from },
    {
      onAssigned: (assigned) => {
        partitions.assign(assigned);
        events.onAssigned();
      },
      onRevoked: async (revoked) => {
        partitions.giveUp(revoked);
        events.onRevoked();
        await partitions.settled(revoked);
        await commits.done();
      },
      onRecords: (records) => {
        partitions.add(records);
        events.onFree();
      },
      onError: events.onError,
    },
  );
  partitions.regulate(subscription);
  commits.begin(subscription);

  return {
    take: (maxRecords, maxBytes) => partitions.take(maxRecords, maxBytes),
    consume: (taken) => {
      for (const one of taken) one.consume();
      partitions.noteSettled();
      return commits.commit(partitions.newPositions(topic));
    },
    release: (taken) => {
      for (const one of taken) one.release();
      partitions.noteSettled();
      events.onFree();
    },
    close: () => subscription.close(),
  };
};

interface Partitions extends Pick<Member, "take"> {
  assign(assigned: readonly TopicPartition[]): void;
  /** Nothing more is handed out of them. */
  giveUp(revoked: readonly TopicPartition[]): void;
  /** Resolves when nothing of them is out. */
  settled(revoked: readonly TopicPartition[]): Promise<void>;
  noteSettled(): void;
  add(records: readonly ConsumedRecord[]): void;
  newPositions(topic: string): readonly TopicPartitionOffset[];
  /** From here on pauses and resumes the subscription by what is buffered. */
  regulate(subscription: Subscription): void;
}

type Bounds = Pick<MemberOptions, "maxBufferedRecords" | "maxBufferedBytes">;

const createPartitions = (bounds: Bounds): Partitions => {
  const held = new Map<number, PartitionHandOut>();
  const flow = createFlow(bounds, held);
  let waiting: (() => void)[] = [];

  return {
    assign: (assigned) => {
      for (const { partition } of assigned) held.set(partition, createPartitionHandOut());
      flow.restart();
    },
    giveUp: (revoked) => {
      for (const { partition } of revoked) held.get(partition)?.clear();
    },
    settled: async (revoked) => {
      const given = new Map(
        [...held].filter(([partition]) => revoked.some((one) => one.partition === partition)),
      );
      while ([...given.values()].some(({ isOut }) => isOut))
        await new Promise<void>((resolve) => waiting.push(resolve));
      for (const [partition, handOut] of given) if (held.get(partition) === handOut) held.delete(partition);
    },
    noteSettled: () => {
      const woken = waiting;
      waiting = [];
      for (const wake of woken) wake();
    },
    add: (records) => {
      const [first] = records;
      if (first === undefined) return;
      held.get(first.partition)?.add(records);
      flow.regulate();
    },
    take: (maxRecords, maxBytes) => {
      const taken = takeFrom(held, maxRecords, maxBytes);
      flow.regulate();
      return taken;
    },
    newPositions: (topic) =>
      [...held].flatMap(([partition, handOut]) => {
        const offset = handOut.newPosition();
        return offset === undefined ? [] : [{ topic, partition, offset }];
      }),
    regulate: (subscription) => {
      flow.begin(subscription);
    },
  };
};

/** Back-pressure: the group's partitions stand still while enough is buffered. */
interface Flow {
  begin(subscription: Subscription): void;
  regulate(): void;
  /** Partitions that were just assigned aren't paused. */
  restart(): void;
}

const createFlow = (
  { maxBufferedRecords, maxBufferedBytes }: Bounds,
  held: ReadonlyMap<number, PartitionHandOut>,
): Flow => {
  let subscription: Subscription | undefined;
  let paused = false;

  const fullness = (): number => {
    let records = 0;
    let bytes = 0;
    for (const { free } of held.values()) {
      records += free.count;
      bytes += free.bytes;
    }
    return Math.max(records / maxBufferedRecords, bytes / maxBufferedBytes);
  };

  const regulate = (): void => {
    if (subscription === undefined) return;
    const full = fullness();
    if (full >= 1 && !paused) {
      paused = true;
      subscription.pause(subscription.assignment);
    } else if (full <= 0.5 && paused) {
      paused = false;
      subscription.resume(subscription.assignment);
    }
  };

  return {
    regulate,
    begin: (running) => {
      subscription = running;
      regulate();
    },
    restart: () => {
      paused = false;
      regulate();
    },
  };
};

const takeFrom = (
  held: Map<number, PartitionHandOut>,
  maxRecords: number,
  maxBytes: number,
): readonly Taken[] => {
  const all: Taken[] = [];
  let records = maxRecords;
  let bytes = maxBytes;
  for (const [partition, handOut] of [...held]) {
    const before = handOut.free.bytes;
    const taken = bytes > 0 ? handOut.take(records, bytes) : undefined;
    if (taken === undefined) continue;
    all.push(taken);
    records -= taken.records.length;
    bytes -= before - handOut.free.bytes;
    // Who has given goes to the end of the line, so that a busy partition doesn't starve the others.
    held.delete(partition);
    held.set(partition, handOut);
  }
  return all;
};

interface Commits {
  begin(subscription: Subscription): void;
  commit(positions: readonly TopicPartitionOffset[]): Promise<void>;
  done(): Promise<void>;
}

/** One commit after the other, so that a position never goes back. */
const createCommits = ({ onError }: Pick<MemberEvents, "onError">): Commits => {
  let subscription: Subscription | undefined;
  let last = Promise.resolve();
  return {
    begin: (running) => {
      subscription = running;
    },
    commit: (positions) => {
      if (positions.length === 0) return last;
      last = last
        .then(() => subscription?.commit(positions))
        .catch((error: unknown) => {
          onError(asGatewayError(error));
        });
      return last;
    },
    done: () => last,
  };
};
