/** Checks whether Kafka lets this process be a home of ids. */
import type { Broker, TopicSpec } from "../broker/broker.ts";
import { requirePartitions } from "../broker/partitions.ts";
import type { Settings } from "../config/schema/schema.ts";
import { asGatewayError, GatewayError } from "../errors.ts";

const DAY_MS = 86_400_000;

/** Milliseconds: the longest time in which an id can be a duplicate. */
export const longestWindowOf = ({ once, webhooks, stations }: Settings): number =>
  Math.max(
    once.callWindow,
    ...webhooks.map(({ duplicateWindow }) => duplicateWindow),
    ...stations.map((station) => station.once?.window ?? 0),
  );

export const onceTopicOf = (settings: Settings): TopicSpec & { readonly partitions: number } => ({
  name: settings.once.topic,
  partitions: settings.once.partitions,
  logAppendTime: true,
  retentionMs: Math.max(DAY_MS, longestWindowOf(settings)),
});

export const onceGroupOf = ({ once }: Settings): string => once.topic.slice(1);

/** Creates the topic of the slots, or sets it right. Rejects as `Broker.ensureTopic`, and for another number of partitions. */
export const ensureOnceTopic = async (
  broker: Pick<Broker, "ensureTopic">,
  settings: Settings,
): Promise<void> => {
  const topic = onceTopicOf(settings);
  requirePartitions(topic, await broker.ensureTopic(topic));
};

type RightsBroker = Pick<Broker, "ensureTopic" | "groups" | "read" | "appendOnce">;

/**
 * Creates the topic of the slots. Returns why it can't be used; undefined: it can. Rejects with BROKER_UNAVAILABLE, and with
 * SETTINGS_INVALID for another number of partitions.
 */
export const whyWithoutHomes = async (
  broker: RightsBroker,
  settings: Settings,
  timeoutMs: number,
): Promise<string | undefined> => {
  const { topic } = settings.once;
  const group = onceGroupOf(settings);
  const steps: readonly (readonly [right: string, step: () => Promise<unknown>])[] = [
    [`Create on the topic ${topic}`, () => ensureOnceTopic(broker, settings)],
    [`Read on the group ${group}`, () => broker.groups.heartbeat({ group, memberId: "", generation: -1 })],
    [`Read on the topic ${topic}`, () => readOne(broker, topic)],
    [`Write on the topic ${topic}`, () => appendNothing(broker, topic, timeoutMs)],
    // A home reads a station's topic to learn whether an event was stored before its process was killed.
    ...settings.stations.map(
      (station) => [`Read on the topic ${station.topic}`, () => readIfExists(broker, station.topic)] as const,
    ),
  ];
  for (const [right, step] of steps) {
    try {
      await step();
    } catch (cause) {
      const { code, message } = asGatewayError(cause);
      if (code === "GROUP_REFUSED" || code === "TOPIC_REFUSED")
        return message.startsWith("Kafka ") ? message : `Kafka does not give the gateway the right ${right}`;
      throw cause;
    }
  }
  return undefined;
};

const readOne = async (broker: RightsBroker, topic: string): Promise<void> => {
  const { signal } = new AbortController();
  try {
    await broker.read({ topic, partition: 0, offset: 0n }, { maxBytes: 1, maxWaitMs: 1, signal });
  } catch (error) {
    // The first records may be gone by now.
    if (asGatewayError(error).code !== "OFFSET_OUT_OF_RANGE") throw error;
  }
};

const readIfExists = (broker: RightsBroker, topic: string): Promise<void> =>
  readOne(broker, topic).catch((error: unknown) => {
    if (asGatewayError(error).code !== "PARTITION_UNKNOWN") throw error;
  });

/** A record without a value: the homes ignore it. */
const appendNothing = async (broker: RightsBroker, topic: string, timeoutMs: number): Promise<void> => {
  const record = { key: null, value: null, headers: [], timestamp: Date.now() };
  const [result] = await broker.appendOnce(topic, [{ partition: 0, records: [record] }], {
    mayWrite: () => true,
    timeoutMs,
  });
  if (result?.status === "refused") throw result.error;
  if (result?.status !== "stored") throw new GatewayError("BROKER_UNAVAILABLE");
};
