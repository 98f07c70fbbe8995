/**
 * Partitions by KIP-848: the broker assigns them, and a rebalance touches only those that move. Each heartbeat names the
 * subscription and the held partitions, so each answer has the whole assignment.
 */
import { randomUUID } from "node:crypto";
import { asGatewayError, GatewayError } from "../../../errors.ts";
import { pause, systemClock } from "../../../lib/clock.ts";
import { partitionId } from "../../partitions.ts";
import type { GroupPosition, TopicPartition } from "../../positions.ts";
import type { MemberContext } from "../member.ts";
import type { Assignment, AssignmentHandlers } from "./assignment.ts";
import type { ConsumerGroupRequests, MemberAnswer, TopicIdPartitions } from "./consumer-group-requests.ts";

export interface ConsumerGroupParts {
  readonly requests: ConsumerGroupRequests;
  /** Milliseconds in which a commit is repeated with a newer epoch. */
  readonly requestTimeout: number;
}

/** Milliseconds in which the group waits for the end of revoked partitions. Then it removes the member. */
const REBALANCE_TIMEOUT = 300_000;
/** The acknowledgement must arrive in time. */
const RESERVE_MS = 10_000;
/** Milliseconds between heartbeats after faults; the last one repeats. */
const AGAIN_MS = [1000, 2000, 4000, 5000];
/** Milliseconds between two tries of a commit whose epoch is not the newest. */
const EPOCH_MS = 50;
/** The broker's session timeout is not known. It is at least this number of heartbeat intervals. */
const INTERVALS = 3;
/** Milliseconds; Kafka's default. Before the first answer. */
const INTERVAL = 5000;

interface HeldPartition extends TopicPartition {
  isEnding: boolean;
}

/** From a join until the group removes the member. */
interface Session {
  epoch: number;
  readonly held: Map<string, HeldPartition>;
}

interface State extends ConsumerGroupParts, Pick<MemberContext, "topics" | "ids"> {
  readonly group: string;
  readonly handlers: AssignmentHandlers;
  readonly memberId: string;
  session: Session;
  interval: number;
  /** When the newest answered heartbeat was sent, by both clocks: one stands still while a machine is suspended, the other can be set back. */
  answered: { readonly monotonic: number; readonly wall: number } | undefined;
  /** A heartbeat is due now. */
  isDue: boolean;
  hurry: () => void;
  readonly left: AbortController;
}

const newSession = (): Session => ({ epoch: 0, held: new Map() });

const heldOf = ({ session, ids }: State): readonly TopicIdPartitions[] => {
  const byTopic = new Map<string, number[]>();
  for (const { topic, partition } of session.held.values()) {
    const id = ids.get(topic) ?? "";
    byTopic.set(id, [...(byTopic.get(id) ?? []), partition]);
  }
  return Array.from(byTopic, ([topicId, partitions]) => ({ topicId, partitions }));
};

/** The next heartbeat is sent now. */
const hurry = (state: State): void => {
  state.isDue = true;
  state.hurry();
};

const untilDue = (state: State, ms: number): Promise<void> => {
  const turn = new AbortController();
  state.hurry = () => {
    turn.abort();
  };
  if (state.isDue || state.left.signal.aborted) turn.abort();
  return pause(systemClock, ms, turn.signal);
};

/** The partitions of the answer whose topic is known. */
const assignedOf = (state: State, { assignment }: MemberAnswer): readonly TopicPartition[] => {
  const names = new Map(Array.from(state.ids, ([name, id]) => [id, name]));
  if (!assignment.every(({ topicId }) => names.has(topicId))) state.handlers.onUnknownTopic();
  return assignment.flatMap(({ topicId, partitions }) => {
    const topic = names.get(topicId);
    return topic === undefined ? [] : partitions.map((partition) => ({ topic, partition }));
  });
};

/** Ends the partitions. The heartbeat after it is the acknowledgement. */
const end = async (state: State, session: Session, partitions: readonly HeldPartition[]): Promise<void> => {
  for (const partition of partitions) partition.isEnding = true;
  await state.handlers.onEnd(partitions, REBALANCE_TIMEOUT - RESERVE_MS);
  for (const partition of partitions) session.held.delete(partitionId(partition));
  if (session === state.session) hurry(state);
};

const take = (state: State, answer: MemberAnswer): void => {
  const { session, handlers } = state;
  if (session.epoch === 0) handlers.onJoined();
  session.epoch = answer.epoch;
  state.interval = answer.interval;
  const assigned = new Map(assignedOf(state, answer).map((partition) => [partitionId(partition), partition]));
  const revoked = [...session.held.values()].filter(
    (partition) => !partition.isEnding && !assigned.has(partitionId(partition)),
  );
  const added = [...assigned.values()].filter((partition) => !session.held.has(partitionId(partition)));
  if (revoked.length > 0) void end(state, session, revoked);
  for (const partition of added) session.held.set(partitionId(partition), { ...partition, isEnding: false });
  if (added.length === 0) return;
  handlers.onBegin(added);
  hurry(state);
};

/** The group has given the partitions to others: their deliveries can only stop. */
const lose = async (state: State): Promise<void> => {
  const held = [...state.session.held.values()];
  state.session = newSession();
  state.answered = undefined;
  if (held.length > 0) await state.handlers.onEnd(held);
};

const beat = async (state: State): Promise<void> => {
  const { requests, group, memberId, session, topics } = state;
  const sentAt = { monotonic: performance.now(), wall: Date.now() };
  state.isDue = false;
  const request = { group, memberId, epoch: session.epoch, topics, held: heldOf(state) };
  const answer = await requests.heartbeat({ ...request, rebalanceTimeout: REBALANCE_TIMEOUT });
  if (state.left.signal.aborted) return;
  if (answer.status === "lost") {
    await lose(state);
    state.isDue = true;
    return;
  }
  state.answered = sentAt;
  take(state, answer);
};

const run = async (state: State): Promise<void> => {
  let failures = 0;
  while (!state.left.signal.aborted) {
    let ms = 0;
    try {
      await beat(state);
      failures = 0;
      ms = state.interval;
    } catch (error) {
      state.handlers.onError(asGatewayError(error));
      ms = AGAIN_MS[Math.min(failures, AGAIN_MS.length - 1)] ?? 0;
      failures += 1;
      state.isDue = false;
    }
    await untilDue(state, ms);
  }
};

const silenceOf = ({ answered, interval }: State): number => {
  if (answered === undefined) return Infinity;
  const since = Math.max(performance.now() - answered.monotonic, Date.now() - answered.wall);
  return since / (INTERVALS * interval);
};

const commit = async (state: State, positions: readonly GroupPosition[]): Promise<void> => {
  const { requests, requestTimeout, group, memberId, session } = state;
  const giveUpAt = performance.now() + requestTimeout;
  for (;;) {
    const { epoch } = session;
    if (epoch === 0) throw new GatewayError("BROKER_UNAVAILABLE", { cause: "not a member" });
    const answer = await requests
      .commit({ group, memberId, generation: epoch }, positions)
      .catch((cause: unknown) => {
        throw new GatewayError("BROKER_UNAVAILABLE", { cause });
      });
    if (answer === "stored") return;
    if (answer === "refused" || session !== state.session || performance.now() > giveUpAt)
      throw new GatewayError("BROKER_UNAVAILABLE", { cause: `the commit is ${answer}` });
    if (session.epoch !== epoch) continue;
    hurry(state);
    await pause(systemClock, EPOCH_MS, state.left.signal);
  }
};

export const createConsumerGroup = (
  parts: ConsumerGroupParts,
  { group, topics, ids }: { readonly group: string } & Pick<MemberContext, "topics" | "ids">,
  handlers: AssignmentHandlers,
): Assignment => {
  const state: State = {
    ...{ ...parts, group, topics, ids, handlers },
    memberId: randomUUID(),
    session: newSession(),
    interval: INTERVAL,
    answered: undefined,
    isDue: false,
    hurry: () => undefined,
    left: new AbortController(),
  };
  let running = Promise.resolve();

  return {
    get silence() {
      return silenceOf(state);
    },
    start: () => {
      running = run(state);
    },
    commit: (positions) => commit(state, positions),
    leave: async () => {
      state.left.abort();
      state.hurry();
      await running;
      await state.requests.leave(group, state.memberId);
    },
  };
};
