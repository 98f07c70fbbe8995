/** Settings of the broker: Kafka or the embedded log. */
import { z } from "zod";
import {
  choice,
  directory,
  duration,
  file,
  flag,
  integer,
  list,
  matching,
  orNone,
  secret,
  section,
  size,
  special,
  text,
} from "../keys.ts";

const ssl = special(
  z.union([
    z.boolean(),
    section({
      ca: file(
        "PEM file with the CA certificates that verify the broker's certificate. Default: the CAs of the system.",
      ).optional(),
      cert: file("PEM file with the client certificate for mutual TLS.").optional(),
      key: file("PEM file with the private key of the client certificate.").optional(),
    }),
  ]),
  {
    help: "TLS for connections to Kafka. true verifies brokers with the CAs of the system; an object names PEM files.",
    allowed: "true, false or an object with ca, cert, key",
  },
);

const sasl = section({
  mechanism: choice("SASL mechanism for Kafka.", ["plain", "scram-sha-256", "scram-sha-512"]),
  username: text("SASL user name."),
  password: secret("SASL password."),
});

const kafka = section({
  brokers: list(
    "Bootstrap servers: Kafka brokers for the first connection. Required if broker.type is kafka.",
    matching("Address of a broker.", /^[^\s:/]+:\d{1,5}$|^\[[\da-f:.]+\]:\d{1,5}$/i, "host:port"),
    'a list of host:port, such as ["127.0.0.1:9092"]',
  ).prefault([]),
  clientId: text("Client id in requests to Kafka. Kafka uses it in logs, metrics and quotas.").prefault(
    "stationgate",
  ),
  ssl: ssl.prefault(false),
  sasl: sasl.optional(),
  compression: choice("Compression type of record batches.", [
    "none",
    "gzip",
    "snappy",
    "lz4",
    "zstd",
  ]).prefault("none"),
  idempotent: flag(
    "Idempotent producer: retries of the gateway store no duplicates. If true, platformatic writes, whatever producer says.",
  ).prefault(false),
  producer: choice(
    "Client library for producing. The setting does not change the library for deliveries, reading and administration.",
    ["kafkajs", "platformatic"],
  ).prefault("platformatic"),
  connectTimeout: duration(
    "Timeout for a connection to a broker, including authentication, and for a metadata request.",
  ).prefault("3s"),
  requestTimeout: duration("Timeout for a request to a broker.").prefault("5s"),
  deliveryTimeout: duration(
    "Maximum time to store an event, including its wait in the buffer; also for the embedded log. After it the client gets 503.",
  ).prefault("10s"),
  maxBufferedBytes: size(
    "Maximum size of all events that wait to be stored. Above it new events get 503 with Retry-After immediately.",
  ).prefault("64mb"),
});

const YEAR_MS = 365 * 86_400_000;

const retention = section({
  age: orNone(
    duration(
      "Age at which the embedded log may free an event, by the event's timestamp. The limits count for each partition.",
      10 * YEAR_MS,
    ),
  ).prefault("7d"),
  bytes: orNone(
    size("Maximum size of a partition of the embedded log. Above it the oldest events may be freed."),
  ).prefault("none"),
  waitForConnectors: flag(
    "Keeps each event until all connectors of its topic have finished it, also while a connector is paused, stopped or FAILED.",
  ).prefault(true),
});

const embedded = section({
  dir: directory(
    "Directory of the embedded log, and of the generated identity if there is no settings file.",
  ).prefault("./data"),
  partitions: integer(
    "Number of partitions of a new topic, unless its station declares partitions.",
    1,
    1024,
  ).prefault(4),
  minFree: size("Minimum free disk space after a commit. Below it events get 503 with Retry-After.").prefault(
    "8mb",
  ),
  retention: retention.prefault({}),
});

export const broker = section({
  type: choice("Where records are stored: in Kafka, or in an embedded log on the local disk.", [
    "kafka",
    "embedded",
  ]).prefault("embedded"),
  kafka: kafka.prefault({}),
  embedded: embedded.prefault({}),
});
