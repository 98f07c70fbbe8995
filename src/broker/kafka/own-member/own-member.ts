/**
 * The gateway's own member of a subscription, on connections of `@platformatic/kafka` (docs/decisions/0011-group-protocol.md).
 * A partition that a rebalance does not name is not touched.
 */
import { asGatewayError, GatewayError } from "../../../errors.ts";
import { pause, systemClock } from "../../../lib/clock.ts";
import type { Broker, GroupPosition, TopicPartition } from "../../broker.ts";
import { partitionId } from "../../partitions.ts";
import type { KafkaMember, MemberContext } from "../member.ts";
import { settledWithin } from "../options.ts";
import { type Assignment, type AssignmentHandlers, END_MS } from "./assignment.ts";
import { createPartitionReader, type PartitionReader } from "./partition-reader.ts";
import { findStarts, type StartParts } from "./start-positions.ts";

export interface OwnMemberParts extends Pick<StartParts, "committed" | "watermarks"> {
  readonly read: Broker["read"];
}

/** Creates the source of the member's partitions. */
export type CreateAssignment = (context: MemberContext, handlers: AssignmentHandlers) => Assignment;

const MAX_PARTITION_BYTES = 1 << 20;
const LEAVE_MS = 5000;
/** Milliseconds between two tries to find start positions. */
const AGAIN_MS = 500;
/** Milliseconds in which only one fault is reported, because an outage fails the reads of all partitions. */
const FAULT_INTERVAL_MS = 1000;

interface State extends OwnMemberParts {
  readonly context: MemberContext;
  readonly readers: Map<string, PartitionReader>;
  readonly fault: (error: unknown) => void;
  left: boolean;
}

const createFaults = ({ handlers }: MemberContext, isLeft: () => boolean) => {
  let reportedAt = -Infinity;
  return (error: unknown): void => {
    if (isLeft() || performance.now() - reportedAt < FAULT_INTERVAL_MS) return;
    reportedAt = performance.now();
    handlers.onError?.(asGatewayError(error));
  };
};

const lowOf = async ({ watermarks, context }: State, { topic, partition }: TopicPartition) => {
  if (await context.events.onUnknown()) return undefined;
  const marks = await watermarks(topic);
  // The records at the old offset are deleted: continues with the first record that exists.
  return marks.find((mark) => mark.partition === partition)?.low;
};

const readerOf = (state: State, partition: TopicPartition): PartitionReader => {
  const { context, read, fault } = state;
  const { options, handlers, events } = context;
  return createPartitionReader({
    ...{ partition, read, handlers },
    maxBytes: Math.min(MAX_PARTITION_BYTES, options.maxReadBytes ?? MAX_PARTITION_BYTES),
    onOutOfRange: () => lowOf(state, partition),
    onUnknown: () => events.onUnknown(),
    onError: fault,
  });
};

/** Starts the readers that no handler has sought meanwhile. */
const startReaders = async (state: State, readers: readonly PartitionReader[]): Promise<void> => {
  const { context, fault } = state;
  const { group, options, handlers } = context;
  const waiting = (): readonly PartitionReader[] =>
    readers.filter(({ hasBegun, signal }) => !hasBegun && !signal.aborted);
  for (let missing = waiting(); missing.length > 0; missing = waiting()) {
    try {
      const starts = await findStarts({ ...state, group, from: options.from }, missing);
      for (const reader of waiting()) {
        const start = starts.get(partitionId(reader));
        if (start?.committed !== undefined) handlers.onStart?.(start.committed);
        if (start !== undefined) reader.begin(start.offset);
      }
    } catch (error) {
      if (!(await context.events.onUnknown())) fault(error);
    }
    const [first] = waiting();
    if (first !== undefined) await pause(systemClock, AGAIN_MS, first.signal);
  }
};

const begin = (state: State, partitions: readonly TopicPartition[]): void => {
  const { readers, context } = state;
  if (state.left) return;
  const begun = partitions.map(({ topic, partition }) => {
    const reader = readerOf(state, { topic, partition });
    readers.get(partitionId(reader))?.stop();
    readers.set(partitionId(reader), reader);
    return reader;
  });
  context.handlers.onAssigned?.(partitions);
  for (const reader of begun) {
    const offset = context.startOf(reader);
    if (offset !== undefined) reader.begin(offset);
  }
  void startReaders(state, begun);
};

const end = async (state: State, partitions: readonly TopicPartition[], withinMs?: number): Promise<void> => {
  const { readers, context } = state;
  const ended = partitions.flatMap((partition) => readers.get(partitionId(partition)) ?? []);
  if (ended.length === 0) return;
  for (const reader of ended) reader.stop();
  const named = ended.map(({ topic, partition }) => ({ topic, partition }));
  const callHandler = async (): Promise<void> => context.handlers.onRevoked?.(named, withinMs);
  await settledWithin(withinMs ?? END_MS, callHandler()).catch(() => undefined);
  for (const reader of ended)
    if (readers.get(partitionId(reader)) === reader) readers.delete(partitionId(reader));
};

const heldOf = ({ readers }: State): readonly TopicPartition[] =>
  [...readers.values()].map(({ topic, partition }) => ({ topic, partition }));

const leave = async (state: State, assignment: Assignment): Promise<void> => {
  if (state.left) return;
  await end(state, heldOf(state));
  state.left = true;
  for (const reader of state.readers.values()) reader.stop();
  await settledWithin(LEAVE_MS, assignment.leave()).catch(() => undefined);
};

const commit = async (
  { readers }: State,
  assignment: Assignment,
  positions: readonly GroupPosition[],
): Promise<void> => {
  if (!positions.every((position) => readers.has(partitionId(position))))
    throw new GatewayError("BROKER_UNAVAILABLE", { cause: "the partition is not assigned to this member" });
  await assignment.commit(positions);
};

export const createOwnMember = (
  parts: OwnMemberParts,
  context: MemberContext,
  createAssignment: CreateAssignment,
): KafkaMember => {
  const state: State = {
    ...parts,
    context,
    readers: new Map(),
    fault: createFaults(context, () => state.left),
    left: false,
  };
  const assignment = createAssignment(context, {
    onJoined: () => {
      if (!state.left) context.events.onJoined();
    },
    onBegin: (partitions) => {
      begin(state, partitions);
    },
    onEnd: (partitions, withinMs) => end(state, partitions, withinMs),
    onError: state.fault,
    onUnknownTopic: () => void context.events.onUnknown(),
  });
  const each = (partitions: readonly TopicPartition[], act: (reader: PartitionReader) => void): void => {
    for (const partition of partitions) {
      const reader = state.readers.get(partitionId(partition));
      if (reader !== undefined) act(reader);
    }
  };

  return {
    generatedGroup: undefined,
    get assignment() {
      return heldOf(state);
    },
    get silence() {
      return assignment.silence;
    },
    start: () => {
      assignment.start();
      return Promise.resolve();
    },
    pause: (partitions) => {
      each(partitions, (reader) => {
        reader.pause();
      });
    },
    resume: (partitions) => {
      each(partitions, (reader) => {
        reader.resume();
      });
    },
    seek: (position) => {
      each([position], (reader) => {
        reader.seek(position.offset);
      });
    },
    commit: (positions) => commit(state, assignment, positions),
    leave: () => leave(state, assignment),
  };
};
