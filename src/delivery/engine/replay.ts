/**
 * Dead letters, sent once more: the same engine reads the dead letter topic with a group of its own, gives each letter
 * back its identity, and ends where the topic ended when the replay began. A letter that is given up again is stored
 * again, behind that end.
 */
import type { Broker } from "../../broker/broker.ts";
import { asGatewayError, GatewayError } from "../../errors.ts";
import { pause, type Clock } from "../../lib/clock.ts";
import { originalOf } from "./dead-letters.ts";
import type { DeliveryPlan, Endpoint } from "./delivery-plan.ts";

const restoring = (endpoint: Endpoint, connector: string): Endpoint => ({
  admit: (letter) => {
    const original = originalOf(letter, connector);
    return original === undefined ? "skip" : endpoint.admit(original);
  },
  render: (letter, now) => endpoint.render(originalOf(letter, connector) ?? letter, now),
  classify: (result) => endpoint.classify(result),
});

/** A plan of which the dead letter topic is known. */
export interface LetterPlan extends DeliveryPlan {
  readonly deadLetterTopic: string;
}

/** Throws REQUEST_INVALID for a connector without dead letter topic. */
export const replayPlan = (plan: DeliveryPlan): LetterPlan => {
  const { name, group, deadLetterTopic, endpoint } = plan;
  if (deadLetterTopic === undefined) {
    throw new GatewayError("REQUEST_INVALID", { message: `Connector ${name} has no dead.letter.topic` });
  }
  return {
    ...plan,
    deadLetterTopic,
    group: `${group}-dead-letters`,
    topics: { names: [deadLetterTopic] },
    endpoint: restoring(endpoint, name),
    delayMs: 0,
  };
};

export interface Letters {
  /** Letters, of whichever connector, that the group has not dealt with. */
  readonly left: number;
  /** Where each partition that has any ends now. */
  readonly ends: ReadonlyMap<number, bigint>;
}

/** None where there is no topic yet. Rejects with BROKER_UNAVAILABLE. */
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

const LOOK_MS = 500;
/** Looks without any progress, while nothing is in hand, after which what is missing is taken for gone. */
const IDLE_LOOKS = 60;

/** What the end of a replay is told by. */
export interface ReplayState {
  /** It is over for another reason. */
  readonly isOver: () => boolean;
  /** Partitions are assigned, and none of their records is in hand. */
  readonly isIdle: () => boolean;
}

/** undefined: the topic is gone; unknown positions are 0. */
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
 * Resolves when the group's positions have come to the plan's ends, or when nothing more can come: letters are deleted
 * by the topic's retention, aborted transactions end a partition with offsets that no record has, the topic is deleted.
 */
export const untilReplayed = async (
  { broker, clock }: { readonly broker: Broker; readonly clock: Clock },
  plan: LetterPlan,
  { isOver, isIdle }: ReplayState,
): Promise<void> => {
  const ends = [...(plan.ends ?? [])];
  let before = "";
  let idleLooks = 0;
  while (!isOver()) {
    const positions = await positionsOf(broker, plan);
    if (positions === undefined) return;
    if (ends.every(([partition, end]) => (positions.get(partition) ?? 0n) >= end)) return;
    const progress = [...positions].join(" ");
    idleLooks = isIdle() && progress === before ? idleLooks + 1 : 0;
    if (idleLooks >= IDLE_LOOKS) return;
    before = progress;
    await pause(clock, LOOK_MS);
  }
};
