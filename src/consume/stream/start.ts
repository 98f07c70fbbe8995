/** Where a stream starts: the first position, and the gaps before it. */
import type { Broker, Watermarks } from "../../broker/broker.ts";
import { GatewayError } from "../../errors.ts";
import type { Gap } from "./event-block.ts";
import type { StreamPosition } from "./stream-id.ts";
import type { TopicLayout } from "./topic-layout.ts";

export type StreamStart =
  | { readonly from: "latest" | "earliest" }
  /** The newest `count` records of each partition come first. */
  | { readonly from: "last"; readonly count: number }
  /** Milliseconds since the epoch. */
  | { readonly from: "time"; readonly time: number }
  | { readonly from: "position"; readonly position: StreamPosition };

export interface FirstPosition {
  readonly topicId: string;
  readonly offsets: bigint[];
  readonly gaps: readonly Gap[];
}

export interface StartParts {
  readonly topic: string;
  readonly broker: Pick<Broker, "offsetsAt" | "read">;
  readonly signal: AbortSignal;
}

/** Rejects with the broker's errors. */
export const firstPosition = async (
  start: StreamStart,
  layout: TopicLayout,
  parts: StartParts,
): Promise<FirstPosition> => {
  const { topicId, ends } = layout;
  switch (start.from) {
    case "latest":
      return { topicId, offsets: ends.map(({ high }) => high), gaps: [] };
    case "earliest":
      return { topicId, offsets: ends.map(({ low }) => low), gaps: [] };
    case "last":
      return { topicId, offsets: ends.map((partition) => newest(partition, start.count)), gaps: [] };
    case "time":
      return { topicId, offsets: await offsetsSince(start.time, layout, parts), gaps: [] };
    case "position":
      return start.position.topicId === topicId
        ? resumed(start.position, layout, parts)
        : inNewTopic(start.position, layout);
  }
};

const newest = ({ low, high }: Watermarks, count: number): bigint => {
  const offset = high - BigInt(count);
  return offset > low ? offset : low;
};

const offsetsSince = async (
  time: number,
  { ends }: TopicLayout,
  { topic, broker }: StartParts,
): Promise<bigint[]> => {
  const offsets = ends.map(({ high }) => high);
  for (const { partition, offset } of await broker.offsetsAt(topic, time)) offsets[partition] = offset;
  return offsets;
};

const inNewTopic = (before: StreamPosition, { topicId, ends }: TopicLayout): FirstPosition => {
  const gaps = ends.flatMap(({ partition, low }) => {
    const from = before.offsets[partition] ?? low;
    return from === low ? [] : [{ partition, from, to: low }];
  });
  return { topicId, offsets: ends.map(({ low }) => low), gaps };
};

const resumed = async (
  { topicId, offsets: before }: StreamPosition,
  { ends }: TopicLayout,
  parts: StartParts,
): Promise<FirstPosition> => {
  const offsets = [...before];
  const gaps: Gap[] = [];
  for (const { partition, low, high } of ends) {
    const from = before[partition] ?? low;
    const isLost = from < low || (from > high && !(await exists(partition, from, parts)));
    const to = from < low ? low : high;
    if (isLost) gaps.push({ partition, from, to });
    offsets[partition] = isLost ? to : from;
  }
  return { topicId, offsets, gaps };
};

/** After a change of the leader, the end that it reports may be old for a moment. Only a read shows that an offset is beyond the end. */
const exists = async (
  partition: number,
  offset: bigint,
  { topic, broker, signal }: StartParts,
): Promise<boolean> => {
  try {
    await broker.read({ topic, partition, offset }, { maxBytes: 1, maxWaitMs: 0, signal });
    return true;
  } catch (error) {
    if (error instanceof GatewayError && error.code === "OFFSET_OUT_OF_RANGE") return false;
    throw error;
  }
};
