/** A topic whose records stay for a given time (`TopicSpec.retentionMs`): its settings, and how they are set right. */
import { GatewayError } from "../../errors.ts";
import type { TopicSpec } from "../broker.ts";
import { requirePartitions } from "../partitions.ts";
import { asUnavailable } from "./options.ts";

/** Names and values of a topic's settings in Kafka. */
export type TopicSettings = ReadonlyMap<string, string>;

export interface TopicSettingsAccess {
  /** Rejects with the Kafka error name as `refusal` says, or with BROKER_UNAVAILABLE. */
  read(topic: string, names: readonly string[]): Promise<TopicSettings>;
  /** Sets these settings, and leaves the others as they are. */
  change(topic: string, settings: TopicSettings): Promise<void>;
  /** The Kafka error name of a rejection; empty: no answer. */
  refusal(error: unknown): string;
}

const UNLIMITED = "-1";

/** The settings with which the topic is created. */
export const retainedSettings = ({ retentionMs }: Pick<TopicSpec, "retentionMs">): TopicSettings =>
  retentionMs === undefined
    ? new Map()
    : new Map([
        ["cleanup.policy", "delete"],
        ["retention.bytes", UNLIMITED],
        ["retention.ms", String(retentionMs)],
      ]);

/** The settings that must change. */
const changesOf = ({ retentionMs = 0, logAppendTime }: TopicSpec, has: TopicSettings): TopicSettings => {
  const changes = new Map<string, string>();
  const want = (name: string, value: string, isRight = has.get(name) === value): void => {
    if (!isRight) changes.set(name, value);
  };
  const kept = Number(has.get("retention.ms"));
  want("cleanup.policy", "delete");
  if (logAppendTime === true) want("message.timestamp.type", "LogAppendTime");
  want("retention.bytes", UNLIMITED);
  want("retention.ms", String(retentionMs), kept < 0 || kept >= retentionMs);
  return changes;
};

const NAMES = ["cleanup.policy", "message.timestamp.type", "retention.bytes", "retention.ms"];

const NO_RIGHT = new Set(["TOPIC_AUTHORIZATION_FAILED", "CLUSTER_AUTHORIZATION_FAILED"]);
/** Kafka repeats these until an operator changes the topic or Kafka's policy. */
const IMPOSSIBLE = new Set([
  "POLICY_VIOLATION",
  "INVALID_CONFIG",
  "INVALID_CONFIGURATION",
  "INVALID_REQUEST",
  "UNSUPPORTED_VERSION",
]);

/** The error of a gateway without this right on the topic. */
const withoutRight = (right: string, topic: string, cause: unknown): GatewayError =>
  new GatewayError("TOPIC_REFUSED", {
    message: `Kafka does not give the gateway the right ${right} on the topic ${topic}`,
    cause,
  });

/** Sets the settings of an existing topic right; rejects as `Broker.ensureTopic` says. */
export const settleRetainedTopic = async (
  spec: TopicSpec,
  has: { readonly partitions: number },
  access: TopicSettingsAccess,
): Promise<void> => {
  const { name } = spec;
  requirePartitions(spec, has);
  const failure = (right: string, refused: (refusal: string) => GatewayError) => {
    return (error: unknown): never => {
      const refusal = access.refusal(error);
      if (NO_RIGHT.has(refusal)) throw withoutRight(right, name, error);
      if (IMPOSSIBLE.has(refusal)) throw refused(refusal);
      return asUnavailable(error);
    };
  };
  const settings = await access
    .read(name, NAMES)
    .catch(failure("DescribeConfigs", (cause) => new GatewayError("BROKER_UNAVAILABLE", { cause })));
  const changes = changesOf(spec, settings);
  if (changes.size === 0) return;
  await access.change(name, changes).catch(
    failure("AlterConfigs", (refusal) => {
      const wrong = [...changes].map(
        ([key, value]) => `${key} must be ${value} (it is ${settings.get(key)})`,
      );
      const message = `The topic ${name} has settings that Kafka does not let the gateway change (${refusal}): ${wrong.join(", ")}`;
      return new GatewayError("SETTINGS_INVALID", { message });
    }),
  );
};
