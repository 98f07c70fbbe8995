/**
 * Dead letters, sent once more: the same engine reads the dead letter topic with a group of its own, gives each letter
 * back its identity, and ends where the topic ended when the replay began. A letter that is given up again is stored
 * again, behind that end.
 */
import type { Broker } from "../broker/broker.ts";
import { GatewayError } from "../errors.ts";
import type { Clock } from "../lib/clock.ts";
import { originalOf } from "./dead-letters.ts";
import type { DeliveryPlan } from "./delivery-plan.ts";
import type { Endpoint } from "./endpoints/endpoint.ts";

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

/** Resolves when the group's positions have come to the plan's ends, or when it is over for another reason. */
export const untilReplayed = async (
  { broker, clock }: { readonly broker: Broker; readonly clock: Clock },
  { group, deadLetterTopic, ends = new Map() }: LetterPlan,
  isOver: () => boolean,
): Promise<void> => {
  while (!isOver()) {
    const positions = await broker.committed(group, deadLetterTopic).catch(() => []);
    const reached = new Map(positions.map(({ partition, offset }) => [partition, offset]));
    if ([...ends].every(([partition, end]) => (reached.get(partition) ?? 0n) >= end)) return;
    await new Promise<void>((resolve) => clock.after(LOOK_MS, resolve));
  }
};
