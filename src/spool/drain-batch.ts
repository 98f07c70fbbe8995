/** The pure steps of draining a topic: chooses the next events, settles their outcomes, and reports to the main process. */
import type { AppendOutcome } from "../broker/broker.ts";
import { recordBytes } from "../broker/record-bytes.ts";
import type { FromDrainer, ToDrainer } from "./messages.ts";
import type { RefusedEvent } from "./refused.ts";
import type { SpooledEvent } from "./segment-reader.ts";
import type { TopicReader } from "./topic-reader.ts";
import type { IsFinal } from "./topic-refusals.ts";

/** The events of the topic in one folder. */
export interface Source {
  /** Number of the run in which the folder was written. The stamps of one run can be compared. */
  readonly run: number;
  readonly reader: Pick<TopicReader, "head" | "shift" | "isAtEnd">;
}

export interface BatchLimits {
  readonly maxRecords: number;
  /** As `recordBytes` counts them. */
  readonly maxBytes: number;
  /**
   * The last event that may be taken. The folders are read one after the other: an event that is younger than the begin of reading
   * may depend on an event in a folder that was read before that event came.
   */
  readonly until: { readonly run: number; readonly stamp: number };
}

export interface Batch<S extends Source> {
  readonly events: readonly SpooledEvent[];
  /** The source of each event. */
  readonly from: readonly S[];
  /** `all`: no source has a further event. `younger`: all further events are younger than the limit. `more`: there may be others. */
  readonly end: BatchEnd;
}

export type BatchEnd = "all" | "younger" | "more";

/** The oldest source: a source that was not read to its end may have an older event than the others. */
const oldest = <S extends Source>(sources: readonly S[]): S | "unread" | undefined => {
  let found: S | undefined;
  for (const source of sources) {
    const { head, isAtEnd } = source.reader;
    if (head === undefined && !isAtEnd) return "unread";
    if (head !== undefined && (found === undefined || isOlder(source, found))) found = source;
  }
  return found;
};

const isOlder = (one: Source, other: Source): boolean =>
  one.run === other.run ? stampOf(one) < stampOf(other) : one.run < other.run;

const isYounger = (source: Source, until: BatchLimits["until"]): boolean =>
  source.run > until.run || (source.run === until.run && stampOf(source) > until.stamp);

const stampOf = ({ reader }: Source): number => reader.head?.entry.stamp ?? Infinity;

/** Takes the oldest events of all sources, in order. A single event may be larger than `maxBytes`. */
export const nextBatch = <S extends Source>(
  sources: readonly S[],
  { maxRecords, maxBytes, until }: BatchLimits,
): Batch<S> => {
  const events: SpooledEvent[] = [];
  const from: S[] = [];
  let bytes = 0;
  for (;;) {
    const source = oldest(sources);
    if (source === undefined) return { events, from, end: "all" };
    if (source === "unread") return { events, from, end: "more" };
    if (isYounger(source, until)) return { events, from, end: "younger" };
    const { head } = source.reader;
    // No event behind an open one may be sent.
    if (head === undefined || head.isOpen) return { events, from, end: "more" };
    bytes += recordBytes(head.entry.record);
    if (events.length >= maxRecords || (events.length > 0 && bytes > maxBytes))
      return { events, from, end: "more" };
    source.reader.shift();
    events.push(head);
    from.push(source);
  }
};

export interface Drained {
  readonly stored: number;
  readonly refused: readonly RefusedEvent[];
  /** True: some events must be sent again. */
  readonly hasFailed: boolean;
}

/**
 * Marks the stored events as done. The caller marks the refused events when they are in `refused/`. All others are sent again,
 * in their order: events of one key have one partition, so no later event of the key was stored.
 */
export const settleBatch = (
  events: readonly SpooledEvent[],
  outcomes: readonly AppendOutcome[],
  isFinal: IsFinal,
): Drained => {
  const refused: RefusedEvent[] = [];
  let stored = 0;
  let hasFailed = false;
  for (const [i, event] of events.entries()) {
    const outcome = outcomes[i];
    if (outcome === undefined) continue;
    if (outcome.status === "stored") {
      event.isDone = true;
      stored++;
    } else if (isFinal(outcome.error, event.entry.record)) refused.push({ event, error: outcome.error });
    else hasFailed = true;
  }
  return { stored, refused, hasFailed };
};

/** The drainer's messages to the main process about one topic. */
export interface Progress {
  /** The round of the last `finish`; undefined: workers write events. */
  readonly round: number | undefined;
  onMessage(message: ToDrainer): void;
  /**
   * After each batch that Kafka has answered. `left`: events that the drainer knows and that are not done. `round`: as it was when
   * the drainer began to read the batch. Before a `finish`, events may have been written behind those that it has read.
   */
  onBatch(batch: { readonly left: number; readonly end: BatchEnd; readonly round: number | undefined }): void;
}

/** Maximum number of events that count as a rest: one append drains them. */
const REST = 1000;

export const createProgress = (tell: (message: FromDrainer) => void): Progress => {
  let finishing: number | undefined;
  return {
    get round() {
      return finishing;
    },
    onMessage: (message) => {
      finishing = message.type === "finish" ? message.round : undefined;
    },
    onBatch: ({ left, end, round }) => {
      if (end === "more" || round !== finishing) return;
      if (finishing === undefined) {
        // Younger events are few: they came while one batch was read.
        if (left <= REST) tell({ type: "rest" });
      } else if (end === "all" && left === 0) tell({ type: "empty", round: finishing });
    },
  };
};
