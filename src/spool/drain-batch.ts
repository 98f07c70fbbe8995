/** The pure steps of draining a topic: chooses the next events, settles their outcomes, and reports to the main process. */
import type { AppendOutcome } from "../broker/broker.ts";
import type { GatewayError } from "../errors.ts";
import type { FromDrainer, ToDrainer } from "./messages.ts";
import { isRefusal, type RefusedEvent } from "./refused.ts";
import type { SpooledEvent } from "./segment-reader.ts";
import type { TopicReader } from "./topic-reader.ts";

/** The events of the topic in one folder. */
export interface Source {
  /** Number of the run in which the folder was written. The stamps of one run can be compared. */
  readonly run: number;
  readonly reader: Pick<TopicReader, "head" | "shift" | "isAtEnd">;
}

export interface BatchLimits {
  readonly maxRecords: number;
  readonly maxBytes: number;
}

export interface Batch<S extends Source> {
  readonly events: readonly SpooledEvent[];
  /** The source of each event. */
  readonly from: readonly S[];
  /** No source has a further event now. */
  readonly isAll: boolean;
}

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

const stampOf = ({ reader }: Source): number => reader.head?.entry.stamp ?? Infinity;

/** Takes the oldest events of all sources, in order. A single event may be larger than `maxBytes`. */
export const nextBatch = <S extends Source>(
  sources: readonly S[],
  { maxRecords, maxBytes }: BatchLimits,
): Batch<S> => {
  const events: SpooledEvent[] = [];
  const from: S[] = [];
  let bytes = 0;
  for (;;) {
    const source = oldest(sources);
    if (source === undefined || source === "unread") return { events, from, isAll: source === undefined };
    const { head } = source.reader;
    // No event behind an open one may be sent.
    if (head === undefined || head.isOpen) return { events, from, isAll: false };
    bytes += head.bytes;
    if (events.length >= maxRecords || (events.length > 0 && bytes > maxBytes))
      return { events, from, isAll: false };
    source.reader.shift();
    events.push(head);
    from.push(source);
  }
};

export interface Drained {
  readonly stored: number;
  readonly refused: readonly RefusedEvent[];
  /** The first error after which the events must be sent again. */
  readonly failure: GatewayError | undefined;
}

/**
 * Marks the stored events as done. The caller marks the refused events when they are in `refused/`. All others are sent again,
 * in their order: events of one key have one partition, so no later event of the key was stored.
 */
export const settleBatch = (events: readonly SpooledEvent[], outcomes: readonly AppendOutcome[]): Drained => {
  const refused: RefusedEvent[] = [];
  let stored = 0;
  let failure: GatewayError | undefined;
  for (const [i, event] of events.entries()) {
    const outcome = outcomes[i];
    if (outcome === undefined) continue;
    if (outcome.status === "stored") {
      event.isDone = true;
      stored++;
    } else if (isRefusal(outcome.error)) refused.push({ event, error: outcome.error });
    else failure ??= outcome.error;
  }
  return { stored, refused, failure };
};

/** The drainer's messages to the main process about one topic. */
export interface Progress {
  readonly isFinishing: boolean;
  onMessage(message: ToDrainer): void;
  /** After each batch that Kafka has answered. `left`: events that the drainer knows and that are not done. */
  onBatch(batch: { readonly left: number; readonly isAll: boolean }): void;
}

/** Maximum number of events that count as a rest: one append drains them. */
const REST = 1000;

export const createProgress = (tell: (message: FromDrainer) => void): Progress => {
  let finishing: number | undefined;
  return {
    get isFinishing() {
      return finishing !== undefined;
    },
    onMessage: (message) => {
      finishing = message.type === "finish" ? message.round : undefined;
    },
    onBatch: ({ left, isAll }) => {
      if (!isAll) return;
      if (finishing === undefined) {
        if (left <= REST) tell({ type: "rest" });
      } else if (left === 0) tell({ type: "empty", round: finishing });
    },
  };
};
