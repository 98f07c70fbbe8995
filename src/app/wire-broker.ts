/**
 * Creates the broker from the settings. An adapter is imported only if it is used: the import of the Kafka clients takes
 * 33 MiB and 0.9 s.
 */
import { readFileSync } from "node:fs";
import type { Broker } from "../broker/broker.ts";
import type { RetentionOptions } from "../broker/embedded/retention.ts";
import type { KafkaOptions } from "../broker/kafka/options.ts";
import type { Settings } from "../config/schema/schema.ts";

/** Maximum size in bytes of the headers that a dead letter adds to its record. */
const DEAD_LETTER_HEADERS = 16 * 1024;

export const CLASSIC_INSTEAD =
  "broker.kafka.groupProtocol is consumer, but this Kafka has no KIP-848 (4.0 or newer, group.version 1): groups use classic";

/** `sasl` is the sign-in of `broker.kafka.sasl`. */
export type KafkaParts = Pick<KafkaOptions, "sasl" | "onClassicInstead">;

/**
 * `largestRecord` returns the maximum size of a station's record in bytes. Topics that are created from now on also accept such a
 * record as a dead letter.
 */
export const createBroker = async (
  { broker }: Settings,
  largestRecord: () => number,
  { retention, ...parts }: KafkaParts & { readonly retention: RetentionOptions },
): Promise<Broker> => {
  const maxRecordBytes = (): number => largestRecord() + DEAD_LETTER_HEADERS;
  const { kafka, embedded } = broker;
  if (broker.type === "kafka")
    return kafkaBroker({ ...kafka, ...parts, ssl: tlsOf(kafka.ssl), maxRecordBytes });
  const { createEmbeddedBroker } = await import("../broker/embedded/embedded-broker.ts");
  return createEmbeddedBroker({
    ...embedded,
    ...{ retention, maxRecordBytes, deliveryTimeout: kafka.deliveryTimeout },
  });
};

const kafkaBroker = async (options: KafkaOptions): Promise<Broker> => {
  const { createKafkaBroker } = await import("../broker/kafka/kafka-broker.ts");
  return createKafkaBroker(options);
};

type SslSettings = Settings["broker"]["kafka"]["ssl"];

/** The text of a PEM file; the settings have checked that it can be read. */
const textOf = (path: string | undefined): string | undefined =>
  path === undefined ? undefined : readFileSync(path, "utf8");

/** The options for node's TLS. undefined: no TLS. */
export const tlsOf = (ssl: SslSettings): KafkaOptions["ssl"] => {
  if (typeof ssl === "boolean") return ssl ? {} : undefined;
  return { ca: textOf(ssl.ca), cert: textOf(ssl.cert), key: textOf(ssl.key) };
};

type EventsKafka = Settings["eventService"]["events"]["queue"]["kafka"];

const eventsTlsOf = (kafka: EventsKafka): KafkaOptions["ssl"] => {
  const store = textOf(kafka.ssl_keystore_location);
  const ca = textOf(kafka.ssl_truststore_location);
  return { ca, cert: store, key: store, checkCertificate: kafka.ssl_verify_cert };
};

/** The broker for business events. undefined: the settings name no Kafka for them. */
export const createEventsBroker = async (
  { broker, eventService }: Settings,
  largestRecord: () => number,
  { sasl, ...parts }: KafkaParts,
): Promise<Broker | undefined> => {
  const { kafka, type } = eventService.events.queue;
  const { bootstrap_server: brokers, security_protocol: protocol, sasl_mechanism: mechanism } = kafka;
  if (brokers === undefined) return undefined;
  const { username = "", password = "" } = eventService.secret.events.queue.kafka;
  const signIn = { mechanism: mechanism.toLowerCase() as Lowercase<typeof mechanism>, username, password };
  const own = {
    sasl: protocol.startsWith("SASL_") ? signIn : undefined,
    ssl: protocol.endsWith("SSL") ? eventsTlsOf(kafka) : undefined,
  };
  return kafkaBroker({
    ...broker.kafka,
    ...parts,
    brokers,
    clientId: kafka.client_id,
    maxRecordBytes: () => largestRecord() + DEAD_LETTER_HEADERS,
    ...(type === "msk" ? { sasl, ssl: tlsOf(broker.kafka.ssl) } : own),
  });
};
