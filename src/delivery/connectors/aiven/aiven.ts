/** Translates a configuration of Aiven's HTTP sink. */
import { fixedBackOff } from "../../engine/strategy.ts";
import type { Transport } from "../../engine/transport.ts";
import {
  createReader,
  type GatewayFacts,
  readPace,
  readTopics,
  readTransform,
  readUrl,
  type Reader,
} from "../config-reader.ts";
import { type HeaderPair, headerFault } from "../config-values.ts";
import { type ErrorHandling, readErrorHandling } from "../error-handling.ts";
import type { Family, ParsedConfig } from "../family.ts";
import type { RawConfig } from "../masking.ts";
import type { BatchModel, ConnectorModel } from "../model.ts";
import { readOAuth2 } from "../oauth2.ts";
import { readProxy, readTruststore } from "../outbound.ts";
import { readTransformations } from "../transformations.ts";
import { readConversion } from "../value-converter.ts";
import { aivenAnswers } from "./answers.ts";
import { additionalHeaders } from "./headers.ts";
import { KEYS } from "./keys.ts";

const readAuthorization = ({ read, invalid }: Reader): readonly HeaderPair[] => {
  const type = read(KEYS.authorization);
  const value = read(KEYS.authorizationHeader);
  const isGiven = value !== undefined && value.trim() !== "";
  if (type === "static" && !isGiven)
    invalid(KEYS.authorizationHeader.name, `Must be present when ${KEYS.authorization.name} = static`);
  if (type === "none" && isGiven)
    invalid(KEYS.authorizationHeader.name, `Must not be present when ${KEYS.authorization.name} = none`);
  return type === "static" && isGiven ? [["Authorization", value]] : [];
};

const readHeaders = (reader: Reader): readonly HeaderPair[] => {
  const { read, invalid } = reader;
  const authorization = readAuthorization(reader);
  const contentType = read(KEYS.contentType);
  const parsed = additionalHeaders(read(KEYS.additionalHeaders) ?? "");
  if ("reason" in parsed) invalid(KEYS.additionalHeaders.name, parsed.reason);
  const fixed: readonly HeaderPair[] = [
    ...authorization,
    ...(contentType === undefined ? [] : [["Content-Type", contentType] as const]),
  ];
  const wrong = fixed.find((pair) => headerFault(pair) !== undefined);
  if (wrong !== undefined)
    invalid(
      wrong[0] === "Authorization" ? KEYS.authorizationHeader.name : KEYS.contentType.name,
      headerFault(wrong) ?? "",
    );
  return "value" in parsed ? [...fixed, ...parsed.value] : fixed;
};

const readBatch = ({ read, invalid }: Reader, { tolerance }: ErrorHandling): BatchModel | undefined => {
  const isEnabled = read(KEYS.batching) ?? false;
  if (isEnabled && tolerance === "all")
    invalid(KEYS.batching.name, "Cannot use errors.tolerance when batching is enabled");
  const batch = {
    maxRecords: read(KEYS.batchSize) ?? 0,
    maxBytes: read(KEYS.batchBytes) ?? 0,
    lingerMs: read(KEYS.linger) ?? 0,
    prefix: read(KEYS.batchPrefix) ?? "",
    separator: read(KEYS.batchSeparator) ?? "",
    suffix: read(KEYS.batchSuffix) ?? "",
  };
  return isEnabled ? batch : undefined;
};

/** The default is `dead-letter` where failed records have a topic. */
const readTombstones = (
  { read, fault }: Reader,
  config: RawConfig,
  { deadLetterTopic }: ErrorHandling,
): ConnectorModel["tombstones"] => {
  const given = read(KEYS.tombstones) ?? "skip";
  const tombstones =
    config[KEYS.tombstones.name] === undefined && deadLetterTopic !== undefined ? "dead-letter" : given;
  if (tombstones === "dead-letter" && deadLetterTopic === undefined)
    fault(KEYS.tombstones.name, "tombstones is dead-letter, but failed records have no dead letter topic.");
  return tombstones;
};

/** Keys without effect: a bad value is a fault. */
const checkOthers = ({ read }: Reader): void => {
  read(KEYS.kafkaBackoff);
  read(KEYS.decimalFormat);
};

const readTransport = (reader: Reader, config: RawConfig, { targets }: GatewayFacts): Transport => ({
  accessToken: readOAuth2(reader, KEYS, {
    targets,
    when: config[KEYS.authorization.name] === "oauth2" ? `${KEYS.authorization.name} = oauth2` : undefined,
  }),
  proxy: readProxy(reader, { host: KEYS.proxyHost, port: KEYS.proxyPort }, targets),
  tls: {
    authorities: readTruststore(reader, { location: KEYS.truststore, password: KEYS.truststorePassword }),
  },
});

const CONNECTOR_CLASS = "io.aiven.kafka.connect.http.HttpSinkConnector";
const TASK_CLASS = "io.aiven.kafka.connect.http.HttpSinkTask";

const parse = (name: string, config: RawConfig, facts: GatewayFacts): ParsedConfig => {
  const reader = createReader(config);
  const { read, faults } = reader;
  const topics = readTopics(reader);
  const url = readUrl(reader, KEYS.url, facts.targets);
  const headers = readHeaders(reader);
  const errors = readErrorHandling(reader, topics, facts, TASK_CLASS);
  const { tolerance, deadLetterTopic, deadLetterForm } = errors;
  const batch = readBatch(reader, errors);
  const tombstones = readTombstones(reader, config, errors);
  const timeoutMs = (read(KEYS.timeout) ?? 0) * 1000;
  const maxRetries = read(KEYS.maxRetries) ?? 0;
  const backOffMs = read(KEYS.backoff) ?? 0;
  const secret = read(KEYS.secret);
  const checkCertificate = read(KEYS.trustAll) !== true;
  const transport = readTransport(reader, config, facts);
  const transformations = readTransformations(reader, config);
  const filter = read(KEYS.filter);
  const transform = readTransform(reader, tolerance === "none" ? "stop" : "drop");
  const conversion = readConversion(reader, facts.hasRegistry, tolerance === "none" ? "stop" : "dead-letter");
  const pace = readPace(reader);
  checkOthers(reader);
  if (faults.length > 0 || url === undefined) return { faults };
  return {
    model: {
      ...{ name, topics, transformations, conversion, filter, transform, tombstones, batch },
      ...{ checkCertificate, transport },
      ...{ deadLetterTopic, deadLetterForm, delayMs: 0 },
      ...{ connectTimeoutMs: timeoutMs, readTimeoutMs: timeoutMs },
      ...pace,
      request: { url, method: "POST", headers, secret, namesRecord: false },
      classify: aivenAnswers,
      strategy: fixedBackOff(maxRetries, backOffMs, tolerance === "none" ? "stop" : "drop"),
    },
  };
};

export const AIVEN: Family = { classes: [CONNECTOR_CLASS], keys: Object.values(KEYS), parse };
