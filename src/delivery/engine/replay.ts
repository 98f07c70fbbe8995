/**
 * Replays dead letters. The engine reads the dead letter topic with its own group, restores the topic, partition and
 * offset of each record, and ends at the offsets that were the topic's ends when the replay began. A record that is
 * dropped again is appended as a new dead letter, after these offsets.
 */
import type { Broker, ConsumedRecord } from "../../broker/broker.ts";
import { asGatewayError, GatewayError } from "../../errors.ts";
import { pause, type Clock } from "../../lib/clock.ts";
import { letterFormOf } from "./dead-letters.ts";
import type { DeliveryPlan, Endpoint, LetterForm, Preparation } from "./delivery-plan.ts";

const restoring = (endpoint: Endpoint, connector: string, form: LetterForm): Endpoint => ({
  admit: (letter) => {
    const original = form.originalOf(letter, connector);
    return original === undefined ? "skip" : endpoint.admit(original);
  },
  render: (letter, now) => endpoint.render(form.originalOf(letter, connector) ?? letter, now),
  classify: (result, letter) => endpoint.classify(result, letter),
});

/** A letter is restored once, because the preparation knows a record by its identity. */
const restoringFirst = (preparation: Preparation, connector: string, form: LetterForm): Preparation => {
  const originals = new WeakMap<ConsumedRecord, ConsumedRecord>();
  const restored = (letter: ConsumedRecord): ConsumedRecord => {
    const original = originals.get(letter) ?? form.originalOf(letter, connector) ?? letter;
    originals.set(letter, original);
    return original;
  };
  return {
    ready: (letter) => preparation.ready(restored(letter)),
    prepare: (letter) => preparation.prepare(restored(letter)),
  };
};

/** A plan that has a dead letter topic. */
export interface LetterPlan extends DeliveryPlan {
  readonly deadLetterTopic: string;
}

/** Throws REQUEST_INVALID if the plan has no dead letter topic, or if its dead letters can't be replayed. */
export const replayPlan = (plan: DeliveryPlan): LetterPlan => {
  const { name, group, deadLetterTopic, endpoint } = plan;
  if (deadLetterTopic === undefined) {
    throw new GatewayError("REQUEST_INVALID", {
      message: `Connector ${name} has no dead.letter.topic; set it to keep and replay dropped records`,
    });
  }
  const form = letterFormOf(plan);
  if (form.unreplayable !== undefined)
    throw new GatewayError("REQUEST_INVALID", {
      message: `The dead letters of connector ${name} can't be replayed: ${form.unreplayable}`,
    });
  return {
    ...plan,
    preparation: plan.preparation && restoringFirst(plan.preparation, name, form),
    deadLetterTopic,
    group: `${group}-dead-letters`,
    startAt: "earliest",
    topics: { names: [deadLetterTopic] },
    endpoint: restoring(endpoint, name, form),
    batching: undefined,
    delayMs: 0,
  };
};

export interface Letters {
  /** Number of dead letters, of all connectors, that the group has not handled. */
  readonly left: number;
  /** Current end offset of each partition that has records. */
  readonly ends: ReadonlyMap<number, bigint>;
}

/** Returns no letters if the topic doesn't exist yet. Rejects with BROKER_UNAVAILABLE. */
export const lettersOf = async (broker: Broker, group: string, topic: string): Promise<Letters> => {
  if ((await broker.topic(topic)) === undefined) return { left: 0, ends: new Map() };
  const [marks, positions] = await Promise.all([broker.watermarks(topic), broker.committed(group, topic)]);
  const positionOf = new Map(positions.map(({ partition, offset }) => [partition, offset]));
  const filled = marks.filter(({ high, low }) => high > low);
  const left = filled.map(({ partition, low, high }) => {
    const position = positionOf.get(partition) ?? low;
    return Math.max(0, Number(high - (position > low ? position : low)));
  });
  return {
    left: left.reduce((sum, count) => sum + count, 0),
    ends: new Map(filled.map(({ partition, high }) => [partition, high])),
  };
};

const CHECK_MS = 500;
/** After this many checks without progress and without records in memory, the missing records count as deleted. */
const MAX_IDLE_CHECKS = 60;

/** State of a running replay. */
export interface ReplayState {
  /** The replay was stopped. */
  readonly isOver: () => boolean;
  /** Partitions are assigned, and none of their records is in memory. */
  readonly isIdle: () => boolean;
}

/** Positions by partition. undefined: the topic doesn't exist. A partition without entry has position 0. */
const positionsOf = async (
  broker: Broker,
  { group, deadLetterTopic: topic }: LetterPlan,
): Promise<ReadonlyMap<number, bigint> | undefined> => {
  try {
    const [marks, committed] = await Promise.all([broker.watermarks(topic), broker.committed(group, topic)]);
    const reached = new Map(committed.map(({ partition, offset }) => [partition, offset]));
    return new Map(
      marks.map(({ partition, low }) => {
        const position = reached.get(partition) ?? 0n;
        return [partition, position > low ? position : low];
      }),
    );
  } catch (error) {
    return asGatewayError(error).code === "STATION_UNKNOWN" ? undefined : new Map();
  }
};

/**
 * Resolves when the group's positions reach the plan's ends, or when no more records can come: retention may delete dead
 * letters, aborted transactions leave offsets without records, and the topic may be deleted.
 */
export const untilReplayed = async (
  { broker, clock }: { readonly broker: Broker; readonly clock: Clock },
  plan: LetterPlan,
  { isOver, isIdle }: ReplayState,
): Promise<void> => {
  const ends = [...(plan.ends ?? [])];
  let before = "";
  let idleChecks = 0;
  while (!isOver()) {
    const positions = await positionsOf(broker, plan);
    if (positions === undefined) return;
    if (ends.every(([partition, end]) => (positions.get(partition) ?? 0n) >= end)) return;
    const progress = [...positions].join(" ");
    idleChecks = isIdle() && progress === before ? idleChecks + 1 : 0;
    if (idleChecks >= MAX_IDLE_CHECKS) return;
    before = progress;
    await pause(clock, CHECK_MS);
  }
};
