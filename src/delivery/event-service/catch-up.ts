/**
 * A second reader, for followers that the live one has passed: they were paused, or have a past to deliver. It is
 * there only while someone is behind, and serves one stretch of a partition at a time.
 */
import { partitionId } from "../../broker/partitions.ts";
import type { Broker, ConsumedRecord, TopicPartition } from "../../broker/broker.ts";
import type { GatewayError } from "../../errors.ts";
import type { Clock } from "../../lib/clock.ts";
import { createSeekingReader } from "../engine/seeking-reader.ts";
import { handOut, isBehind, passOn, type Cursor, type Feed } from "../engine/feed.ts";

export interface CatchUp {
  /** Some follower of the feed may be behind. */
  look(feed: Feed): void;
  /** Nothing more of the feed is handed out. */
  leave(feed: Feed): void;
  close(): Promise<void>;
}

export interface CatchUpOptions {
  readonly broker: Pick<Broker, "subscribe">;
  readonly topics: readonly string[];
  readonly clock: Clock;
  readonly onError: (error: GatewayError) => void;
}

/** A stretch of a partition that is being read. */
interface Run {
  readonly feed: Feed;
  /** The next offset to come. */
  at: bigint;
  /** Records after which it is another follower's turn. */
  left: number;
}

const RUN_RECORDS = 10_000;
const IDLE_MS = 30_000;

/** Of those who are behind the one whose last turn is longest ago. */
const nextInTurn = (feed: Feed): Cursor | undefined => {
  const behind = [...feed.cursors.values()].filter((cursor) => isBehind(feed, cursor));
  return behind.sort((one, other) => one.turn - other.turn)[0];
};

/** Is somebody where the run is, and still behind? */
const isWanted = ({ feed, at }: Run): boolean =>
  [...feed.cursors.values()].some((cursor) => cursor.next === at && isBehind(feed, cursor));

export const createCatchUp = (options: CatchUpOptions): CatchUp => {
  const { clock } = options;
  const runs = new Map<string, Run>();
  const reader = createSeekingReader(options, {
    wanted: (partition) => runs.get(partitionId(partition))?.at,
    onRecords: (records) => {
      read(records);
    },
    onPassed: (position) => {
      const run = runs.get(partitionId(position));
      if (run !== undefined) advance(run, passOn(run.feed, run.at, position.offset));
    },
  });
  let turns = 0;
  let cancelIdle = (): void => undefined;

  const look = (feed: Feed): void => {
    if (runs.has(partitionId(feed))) return;
    const cursor = nextInTurn(feed);
    if (cursor === undefined) return;
    cursor.turn = ++turns;
    cancelIdle();
    runs.set(partitionId(feed), { feed, at: cursor.next, left: RUN_RECORDS });
    reader.steer(feed);
  };

  const end = (feed: Feed): void => {
    runs.delete(partitionId(feed));
    look(feed);
    if (runs.has(partitionId(feed))) return;
    reader.steer(feed);
    cancelIdle();
    if (runs.size === 0) cancelIdle = clock.after(IDLE_MS, () => void reader.close());
  };

  const read = (records: readonly ConsumedRecord[]): void => {
    const [first] = records;
    const run = first && runs.get(partitionId(first));
    if (run === undefined) return;
    run.left -= records.length;
    advance(run, handOut(run.feed, run.at, records));
  };

  const advance = (run: Run, offset: bigint): void => {
    run.at = offset;
    const goesOn = run.left > 0 && isWanted(run);
    if (runs.get(partitionId(run.feed)) === run && !goesOn) end(run.feed);
  };

  return {
    look,
    leave: (feed: TopicPartition) => {
      const run = runs.get(partitionId(feed));
      if (run?.feed === feed) end(run.feed);
    },
    close: async () => {
      cancelIdle();
      runs.clear();
      await reader.close();
    },
  };
};
