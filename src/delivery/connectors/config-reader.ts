/** Reads the keys of a configuration one by one, and collects all faults. */
import { isInternalTopic } from "../../broker/broker.ts";
import { cut } from "../../lib/text.ts";
import type { TopicSelection } from "../engine/delivery-plan.ts";
import type { Ordering } from "../engine/ordering.ts";
import type { Targets } from "../engine/targets.ts";
import type { ConfigFault } from "./config-fault.ts";
import { COMMON_KEYS, CONSUMER_KEYS, type Key, OWN_KEYS } from "./keys.ts";
import { hasReferences } from "./reference-text.ts";
import { MASK, maskConfig, type RawConfig } from "./masking.ts";
import type { References } from "./references.ts";

export type { ConfigFault };

export interface Faults {
  readonly faults: readonly ConfigFault[];
}

/** What a configuration is checked against. What is absent is not checked. */
export interface GatewayFacts {
  /** A URL with a refused literal address is a fault. Without `targets`, the gateway checks the address when it connects. */
  readonly targets?: Targets | undefined;
  /** Without a registry, `decode` is a fault. */
  readonly hasRegistry?: boolean;
  /** The topic of `audit.station`. Dead letters must not be written to it. */
  readonly auditTopic?: string | undefined;
  /** Absent: references are values like others. */
  readonly references?: References | undefined;
}

/** Parses keys one by one, and collects all faults. */
export const createReader = (config: RawConfig) => {
  const shown = maskConfig(config);
  const faults: ConfigFault[] = [];
  const fault = (key: string, message: string): void => {
    faults.push({ key, message });
  };
  const invalid = (key: string, reason: string): void => {
    fault(key, `Invalid value ${cut(shown[key] ?? "")} for configuration ${key}: ${reason}`);
  };
  const read = <T>(key: Key<T>): T | undefined => {
    const given = [key.name, ...key.aliases].find((name) => config[name] !== undefined);
    const raw = given === undefined ? key.default : config[given];
    if (raw === undefined) {
      if (key.required)
        fault(key.name, `Missing required configuration "${key.name}" which has no default value.`);
      return undefined;
    }
    if (raw.includes(MASK)) {
      invalid(given ?? key.name, "The value is masked, and there is no stored value to replace it");
      return undefined;
    }
    const parsed = key.parse(raw);
    if ("value" in parsed) return parsed.value;
    invalid(given ?? key.name, parsed.reason);
    return undefined;
  };
  return { faults, fault, invalid, read };
};

export type Reader = ReturnType<typeof createReader>;

export const readTopics = ({ read, fault, invalid }: Reader): TopicSelection => {
  const names = [...new Set(read(COMMON_KEYS.topics) ?? [])];
  const pattern = read(COMMON_KEYS.topicsRegex);
  if (names.length > 0 && pattern !== undefined) {
    const message = "topics and topics.regex are mutually exclusive options, but both are set.";
    fault("topics", message);
  }
  if (pattern !== undefined) return { pattern };
  if (names.length === 0) fault("topics", "Must configure one of topics or topics.regex");
  const internal = names.find(isInternalTopic);
  if (internal !== undefined) invalid("topics", `${internal} is an internal topic and can't be delivered`);
  return { names };
};

/** The topics of a configuration whose other keys may have faults. undefined: the topics have faults, or are a reference. */
export const topicsOf = (config: RawConfig): TopicSelection | undefined => {
  const keys = [COMMON_KEYS.topics.name, COMMON_KEYS.topicsRegex.name];
  if (keys.some((key) => hasReferences(config[key] ?? ""))) return undefined;
  const reader = createReader(config);
  const topics = readTopics(reader);
  return reader.faults.length > 0 ? undefined : topics;
};

/** The topic that a key names must take dead letters. */
export const checkDeadLetterTopic = (
  { invalid }: Reader,
  { name }: Pick<Key<string>, "name">,
  topic: string,
  auditTopic: string | undefined,
): void => {
  if (isInternalTopic(topic)) invalid(name, "It is an internal topic");
  if (topic === auditTopic) invalid(name, "It is the topic of audit.station");
};

export const delivers = (topics: TopicSelection, topic: string): boolean =>
  "names" in topics ? topics.names.includes(topic) : topics.pattern.test(topic);

/** Keys that have the same meaning in each family. */
export interface Pace {
  readonly tasksMax: number;
  readonly concurrency: number;
  readonly ordering: Ordering;
  /** Random part added to a wait, as a fraction of the wait. */
  readonly jitter: number;
  /** Maximum Retry-After that lengthens a wait, in milliseconds. 0: Retry-After is ignored. */
  readonly maxRetryAfterMs: number;
  readonly ratePerSecond: number | undefined;
  /** Where a consumer group without an offset starts. */
  readonly startAt: "earliest" | "latest";
}

export const readPace = ({ read }: Reader): Pace => {
  const maxRetryAfter = read(OWN_KEYS.maxRetryAfter) ?? 0;
  return {
    tasksMax: read(COMMON_KEYS.tasksMax) ?? 1,
    concurrency: read(OWN_KEYS.concurrency) ?? 1,
    ordering: read(OWN_KEYS.ordering) ?? "partition",
    jitter: read(OWN_KEYS.jitter) ?? 0,
    maxRetryAfterMs: read(OWN_KEYS.retryAfter) === "honour" ? maxRetryAfter * 1000 : 0,
    ratePerSecond: read(OWN_KEYS.rateLimit),
    startAt: read(CONSUMER_KEYS.offsetReset) ?? "earliest",
  };
};

export interface TransformModel {
  readonly expression: string;
  /** What happens to a record that can't be transformed. */
  readonly failure: "drop" | "stop";
}

export const readTransform = (
  { read }: Reader,
  failure: TransformModel["failure"],
): TransformModel | undefined => {
  const expression = read(OWN_KEYS.transform);
  return expression === undefined ? undefined : { expression, failure };
};

/** A target that the gateway may not connect to is a fault, if the URL alone shows it. */
export const readUrl = (
  { read, invalid }: Reader,
  key: Key<URL>,
  targets: Targets | undefined,
): URL | undefined => {
  const url = read(key);
  const refused = url && targets?.refusalOf(url.hostname);
  if (refused !== undefined) invalid(key.name, refused);
  return url;
};
