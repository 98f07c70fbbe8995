/**
 * Parses a connector's configuration as the Auckland HTTP sink does. Unknown keys belong to Kafka Connect or to another
 * connector. They are accepted and ignored, as in Kafka Connect.
 */
import type { TopicSelection } from "../engine/delivery-plan.ts";
import { isInternalTopic } from "../../broker/broker.ts";
import { cut } from "../../lib/text.ts";
import type { Decoding } from "../../registry/decoder.ts";
import type { Schedules, StrategyName } from "../engine/strategy.ts";
import type { Targets } from "../engine/targets.ts";
import { parseHeaders, type HeaderPair } from "./config-values.ts";
import { type DecodeFailure, KEYS, type Key } from "./config-keys.ts";
import { MASK, maskConfig, type RawConfig } from "./masking.ts";

export interface ConnectorSettings {
  readonly name: string;
  readonly topics: TopicSelection;
  readonly url: URL;
  readonly method: "POST" | "PUT" | "DELETE";
  readonly headers: readonly HeaderPair[];
  /** Milliseconds; 0: no limit. */
  readonly connectTimeoutMs: number;
  readonly readTimeoutMs: number;
  readonly strategy: StrategyName;
  readonly schedules: Schedules;
  readonly delayMs: number;
  readonly tasksMax: number;
  readonly concurrency: number;
  readonly ordering: "partition" | "key" | "none";
  readonly successWithoutFlag: boolean;
  /** Maximum Retry-After that lengthens a wait, in milliseconds. 0: Retry-After is ignored. */
  readonly maxRetryAfterMs: number;
  /** Random part added to a wait, as a fraction of the wait. */
  readonly jitter: number;
  readonly ratePerSecond: number | undefined;
  readonly deadLetterTopic: string | undefined;
  readonly tombstones: "skip" | "send" | "dead-letter";
  readonly decode: Decoding;
  readonly decodeFailure: DecodeFailure;
  readonly secret: Buffer | undefined;
}

export interface ConfigFault {
  readonly key: string;
  /** One line in the wording of Kafka Connect, without credentials. */
  readonly message: string;
}

export type ParsedConfig =
  { readonly settings: ConnectorSettings } | { readonly faults: readonly ConfigFault[] };

/** What a configuration is checked against. What is absent is not checked. */
export interface GatewayFacts {
  /** A URL with a refused literal address is a fault. Without `targets`, the gateway checks the address when it connects. */
  readonly targets?: Targets | undefined;
  /** Without a registry, `decode` is a fault. */
  readonly hasRegistry?: boolean;
  /** The topic of `audit.station`. Dead letters must not be written to it. */
  readonly auditTopic?: string | undefined;
}

/** Accepted values of `connector.class`: full name, simple name and alias, as in Kafka Connect. */
const CLASSES = ["nz.ac.auckland.kafka.http.sink.HttpSinkConnector", "HttpSinkConnector", "HttpSink"];
export const CONNECTOR_CLASS = "nz.ac.auckland.kafka.http.sink.HttpSinkConnector";
export const isKnownClass = (name: string): boolean => CLASSES.includes(name);

/** Parses keys one by one, and collects all faults. */
const createReader = (config: RawConfig) => {
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

type Reader = ReturnType<typeof createReader>;

const readTopics = ({ read, fault, invalid }: Reader): TopicSelection => {
  const names = [...new Set(read(KEYS.topics) ?? [])];
  const pattern = read(KEYS.topicsRegex);
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

const NOT_RUN = new Map([
  ["transforms", "transformations are not run here"],
  ["predicates", "predicates are not run here"],
]);

/** Refuses transformations: without them the connector would send records that they change or filter out. */
const refuseTransformations = ({ invalid }: Reader, config: RawConfig): void => {
  for (const [key, value] of Object.entries(config)) {
    const reason = NOT_RUN.get(key.split(".", 1)[0] ?? "");
    if (reason !== undefined && value.trim() !== "") invalid(key, reason);
  }
};

const readHeaders = ({ read, invalid }: Reader): readonly HeaderPair[] => {
  const raw = read(KEYS.headers);
  if (raw === undefined) return [];
  const parsed = parseHeaders(raw, read(KEYS.headerSeparator) ?? "|");
  if ("value" in parsed) return parsed.value;
  invalid(KEYS.headers.name, parsed.reason);
  return [];
};

const readClass = ({ read, fault }: Reader): void => {
  const name = read(KEYS.connectorClass);
  if (name === undefined || isKnownClass(name)) return;
  fault(
    KEYS.connectorClass.name,
    `Failed to find any class that implements Connector and which name matches ${cut(name)}, available connectors are: ${CONNECTOR_CLASS}`,
  );
};

const readDeadLetters = (
  { read, invalid, fault }: Reader,
  topics: TopicSelection,
  auditTopic: string | undefined,
): Pick<ConnectorSettings, "deadLetterTopic" | "tombstones"> => {
  const deadLetterTopic = read(KEYS.deadLetterTopic);
  const tombstones = read(KEYS.tombstones) ?? "skip";
  const delivered =
    deadLetterTopic !== undefined &&
    ("names" in topics ? topics.names.includes(deadLetterTopic) : topics.pattern.test(deadLetterTopic));
  if (delivered) invalid(KEYS.deadLetterTopic.name, "It is one of the delivered topics");
  if (deadLetterTopic !== undefined && isInternalTopic(deadLetterTopic)) {
    invalid(KEYS.deadLetterTopic.name, "It is an internal topic");
  }
  if (deadLetterTopic !== undefined && deadLetterTopic === auditTopic) {
    invalid(KEYS.deadLetterTopic.name, "It is the topic of audit.station");
  }
  if (tombstones === "dead-letter" && deadLetterTopic === undefined) {
    fault(KEYS.tombstones.name, "tombstones is dead-letter, but dead.letter.topic is not set.");
  }
  return { deadLetterTopic, tombstones };
};

export const noRegistry = (decode: string): string =>
  `decode is ${decode}, but the gateway has no schema registry. Add the section registry to its settings.`;

const readDecoding = (
  { read, fault }: Reader,
  deadLetterTopic: string | undefined,
  hasRegistry: boolean | undefined,
): Pick<ConnectorSettings, "decode" | "decodeFailure"> => {
  const decode = read(KEYS.decode) ?? "none";
  const decodeFailure = read(KEYS.decodeFailure) ?? (deadLetterTopic === undefined ? "stop" : "dead-letter");
  if (decode !== "none" && hasRegistry === false) {
    fault(KEYS.decode.name, noRegistry(decode));
  }
  if (decodeFailure === "dead-letter" && deadLetterTopic === undefined) {
    fault(KEYS.decodeFailure.name, "decode.failure is dead-letter, but dead.letter.topic is not set.");
  }
  return { decode, decodeFailure };
};

const readPace = ({ read }: Reader) => ({
  schedules: { retry: read(KEYS.retryBackoff) ?? [], down: read(KEYS.downBackoff) ?? [] },
  connectTimeoutMs: read(KEYS.connectTimeout) ?? 0,
  readTimeoutMs: read(KEYS.readTimeout) ?? 0,
  delayMs: (read(KEYS.delay) ?? 0) * 1000,
  tasksMax: read(KEYS.tasksMax) ?? 1,
  concurrency: read(KEYS.concurrency) ?? 1,
  jitter: read(KEYS.jitter) ?? 0,
  ratePerSecond: read(KEYS.rateLimit),
});

const readUrl = ({ read, invalid }: Reader, targets: Targets | undefined): URL | undefined => {
  const url = read(KEYS.url);
  const refused = url && targets?.refusalOf(url.hostname);
  if (refused !== undefined) invalid(KEYS.url.name, refused);
  return url;
};

/** Returns the settings, or all faults of the configuration. */
export const parseConnectorConfig = (
  name: string,
  config: RawConfig,
  { targets, hasRegistry, auditTopic }: GatewayFacts = {},
): ParsedConfig => {
  const reader = createReader(config);
  const { read, faults } = reader;
  readClass(reader);
  refuseTransformations(reader, config);
  const topics = readTopics(reader);
  const url = readUrl(reader, targets);
  const method = read(KEYS.method);
  const headers = readHeaders(reader);
  const strategy = read(KEYS.strategy);
  const pace = readPace(reader);
  const ordering = read(KEYS.ordering) ?? "partition";
  const successWithoutFlag = read(KEYS.successWithoutFlag) === "success";
  const maxRetryAfter = read(KEYS.maxRetryAfter) ?? 0;
  const maxRetryAfterMs = read(KEYS.retryAfter) === "honour" ? maxRetryAfter * 1000 : 0;
  const deadLetters = readDeadLetters(reader, topics, auditTopic);
  const decoding = readDecoding(reader, deadLetters.deadLetterTopic, hasRegistry);
  const secret = read(KEYS.secret);
  if (faults.length > 0 || url === undefined || method === undefined || strategy === undefined) {
    return { faults };
  }
  return {
    settings: {
      name,
      topics,
      url,
      method,
      headers,
      strategy,
      ...pace,
      ordering,
      successWithoutFlag,
      maxRetryAfterMs,
      ...deadLetters,
      ...decoding,
      secret,
    },
  };
};
