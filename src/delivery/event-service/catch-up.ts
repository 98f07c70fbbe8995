/**
 * A second reader for followers that are behind the live reader: they were paused, or start at an earlier position. It is
 * open only while a follower is behind, and reads one part of a partition at a time.
 */
import { partitionId } from "../../broker/partitions.ts";
import type { Broker, ConsumedRecord, TopicPartition } from "../../broker/broker.ts";
import type { GatewayError } from "../../errors.ts";
import type { Clock } from "../../lib/clock.ts";
import { createSeekingReader } from "../engine/seeking-reader.ts";
import { handOut, isBehind, passOn, type Cursor, type Feed } from "../engine/feed.ts";

export interface CatchUp {
  /** Call it when a follower of the feed may be behind. */
  check(feed: Feed): void;
  /** Stops reading for the feed. */
  leave(feed: Feed): void;
  close(): Promise<void>;
}

export interface CatchUpOptions {
  readonly broker: Pick<Broker, "subscribe">;
  readonly topics: readonly string[];
  readonly clock: Clock;
  readonly onError: (error: GatewayError) => void;
}

/** A part of a partition that is being read for one follower, and for other followers at the same position. */
interface Turn {
  readonly feed: Feed;
  /** The next offset to read. */
  at: bigint;
  /** Number of records until the turn of another follower. */
  left: number;
}

const TURN_RECORDS = 10_000;
const IDLE_MS = 30_000;

/** The follower that is behind and whose last turn is the longest ago. */
const nextInTurn = (feed: Feed): Cursor | undefined => {
  const behind = [...feed.cursors.values()].filter((cursor) => isBehind(feed, cursor));
  return behind.sort((one, other) => one.turn - other.turn)[0];
};

/** True if a follower with lag is at the position of this turn. */
const isWanted = ({ feed, at }: Turn): boolean =>
  [...feed.cursors.values()].some((cursor) => cursor.next === at && isBehind(feed, cursor));

export const createCatchUp = (options: CatchUpOptions): CatchUp => {
  const { clock } = options;
  const turns = new Map<string, Turn>();
  const reader = createSeekingReader(options, {
    wanted: (partition) => turns.get(partitionId(partition))?.at,
    onRecords: (records) => {
      read(records);
    },
    onPassed: (position) => {
      const turn = turns.get(partitionId(position));
      if (turn !== undefined) advance(turn, passOn(turn.feed, turn.at, position.offset));
    },
  });
  let turnCount = 0;
  let cancelIdle = (): void => undefined;

  const check = (feed: Feed): void => {
    if (turns.has(partitionId(feed))) return;
    const cursor = nextInTurn(feed);
    if (cursor === undefined) return;
    cursor.turn = ++turnCount;
    cancelIdle();
    turns.set(partitionId(feed), { feed, at: cursor.next, left: TURN_RECORDS });
    reader.steer(feed);
  };

  const end = (feed: Feed): void => {
    turns.delete(partitionId(feed));
    check(feed);
    if (turns.has(partitionId(feed))) return;
    reader.steer(feed);
    cancelIdle();
    if (turns.size === 0) cancelIdle = clock.after(IDLE_MS, () => void reader.close());
  };

  const read = (records: readonly ConsumedRecord[]): void => {
    const [first] = records;
    const turn = first && turns.get(partitionId(first));
    if (turn === undefined) return;
    turn.left -= records.length;
    advance(turn, handOut(turn.feed, turn.at, records));
  };

  const advance = (turn: Turn, offset: bigint): void => {
    turn.at = offset;
    const continues = turn.left > 0 && isWanted(turn);
    if (turns.get(partitionId(turn.feed)) === turn && !continues) end(turn.feed);
  };

  return {
    check,
    leave: (feed: TopicPartition) => {
      const turn = turns.get(partitionId(feed));
      if (turn?.feed === feed) end(turn.feed);
    },
    close: async () => {
      cancelIdle();
      turns.clear();
      await reader.close();
    },
  };
};
