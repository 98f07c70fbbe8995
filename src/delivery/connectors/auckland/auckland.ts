/**
 * Translates a configuration of the Auckland HTTP sink. Unknown keys belong to Kafka Connect or to another connector. They are
 * accepted and ignored, as in Kafka Connect.
 */
import type { TopicSelection } from "../../engine/delivery-plan.ts";
import type { Decoding } from "../../../registry/decoder.ts";
import type { Filter } from "../../expressions/filter/filter.ts";
import { type Schedules, STRATEGIES, type StrategyName } from "../../engine/strategy.ts";
import {
  checkDeadLetterTopic,
  createReader,
  delivers,
  type Faults,
  type GatewayFacts,
  type Pace,
  readPace,
  readTopics,
  readTransform,
  readUrl,
  type Reader,
  type TransformModel,
} from "../config-reader.ts";
import { type HeaderPair, parseHeaders } from "../config-values.ts";
import { type DecodeFailure, noRegistry } from "../decoding.ts";
import type { Family } from "../family.ts";
import type { RawConfig } from "../masking.ts";
import type { ConnectorModel } from "../model.ts";
import { readTransformations, type Transformation } from "../transformations.ts";
import { aucklandAnswers } from "./answers.ts";
import { KEYS } from "./keys.ts";

export interface AucklandSettings extends Pace {
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
  readonly successWithoutFlag: boolean;
  readonly deadLetterTopic: string | undefined;
  readonly tombstones: "skip" | "send" | "dead-letter";
  readonly decode: Decoding;
  readonly decodeFailure: DecodeFailure;
  readonly secret: Buffer | undefined;
  readonly transformations: readonly Transformation[];
  readonly filter: Filter | undefined;
  readonly transform: TransformModel | undefined;
}

const readHeaders = ({ read, invalid }: Reader): readonly HeaderPair[] => {
  const raw = read(KEYS.headers);
  if (raw === undefined) return [];
  const parsed = parseHeaders(raw, read(KEYS.headerSeparator) ?? "|");
  if ("value" in parsed) return parsed.value;
  invalid(KEYS.headers.name, parsed.reason);
  return [];
};

const readDeadLetters = (
  reader: Reader,
  topics: TopicSelection,
  auditTopic: string | undefined,
): Pick<AucklandSettings, "deadLetterTopic" | "tombstones"> => {
  const { read, invalid, fault } = reader;
  const deadLetterTopic = read(KEYS.deadLetterTopic);
  const tombstones = read(KEYS.tombstones) ?? "skip";
  if (deadLetterTopic !== undefined) {
    if (delivers(topics, deadLetterTopic))
      invalid(KEYS.deadLetterTopic.name, "It is one of the delivered topics");
    checkDeadLetterTopic(reader, KEYS.deadLetterTopic, deadLetterTopic, auditTopic);
  }
  if (tombstones === "dead-letter" && deadLetterTopic === undefined) {
    fault(KEYS.tombstones.name, "tombstones is dead-letter, but dead.letter.topic is not set.");
  }
  return { deadLetterTopic, tombstones };
};

const readDecoding = (
  { read, fault }: Reader,
  deadLetterTopic: string | undefined,
  hasRegistry: boolean | undefined,
): Pick<AucklandSettings, "decode" | "decodeFailure"> => {
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

/** Returns the settings, or all faults of the configuration. */
export const parseAuckland = (
  name: string,
  config: RawConfig,
  { targets, hasRegistry, auditTopic }: GatewayFacts = {},
): { readonly settings: AucklandSettings } | Faults => {
  const reader = createReader(config);
  const { read, faults } = reader;
  const transformations = readTransformations(reader, config);
  const filter = read(KEYS.filter);
  const topics = readTopics(reader);
  const url = readUrl(reader, KEYS.url, targets);
  const method = read(KEYS.method);
  const headers = readHeaders(reader);
  const strategy = read(KEYS.strategy);
  const schedules = { retry: read(KEYS.retryBackoff) ?? [], down: read(KEYS.downBackoff) ?? [] };
  const connectTimeoutMs = read(KEYS.connectTimeout) ?? 0;
  const readTimeoutMs = read(KEYS.readTimeout) ?? 0;
  const delayMs = (read(KEYS.delay) ?? 0) * 1000;
  const pace = readPace(reader);
  const successWithoutFlag = read(KEYS.successWithoutFlag) === "success";
  const deadLetters = readDeadLetters(reader, topics, auditTopic);
  const decoding = readDecoding(reader, deadLetters.deadLetterTopic, hasRegistry);
  const transform = readTransform(reader, deadLetters.deadLetterTopic === undefined ? "stop" : "drop");
  const secret = read(KEYS.secret);
  if (faults.length > 0 || url === undefined || method === undefined || strategy === undefined)
    return { faults };
  return {
    settings: {
      ...{ name, topics, url, method, headers, strategy, schedules },
      ...{ connectTimeoutMs, readTimeoutMs, delayMs, successWithoutFlag, secret, transformations, filter },
      ...{ transform },
      ...pace,
      ...deadLetters,
      ...decoding,
    },
  };
};

const modelOf = (settings: AucklandSettings): ConnectorModel => {
  const { url, method, headers, secret, strategy, schedules, decode, decodeFailure, ...same } = settings;
  return {
    ...same,
    request: { url, method, headers, secret, namesRecord: true },
    checkCertificate: true,
    conversion: decode === "none" ? { kind: "none" } : { kind: "registry", decode, decodeFailure },
    batch: undefined,
    classify: aucklandAnswers(settings.successWithoutFlag),
    strategy: STRATEGIES[strategy](schedules),
  };
};

const CONNECTOR_CLASS = "nz.ac.auckland.kafka.http.sink.HttpSinkConnector";

export const AUCKLAND: Family = {
  classes: [CONNECTOR_CLASS, "HttpSinkConnector", "HttpSink"],
  keys: Object.values(KEYS),
  parse: (name, config, facts) => {
    const parsed = parseAuckland(name, config, facts);
    return "faults" in parsed ? parsed : { model: modelOf(parsed.settings) };
  },
};
