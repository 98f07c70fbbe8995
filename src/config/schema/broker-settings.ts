/** Settings of the broker: Kafka or the embedded log. */
import { z } from "zod";
import { isProtectedUrl } from "../../lib/loopback.ts";
import {
  changingFile,
  choice,
  directory,
  duration,
  file,
  flag,
  integer,
  list,
  matching,
  NO_MESSAGE,
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
  mechanism: choice(
    "SASL mechanism for Kafka. oauthbearer signs in with a token, aws-msk-iam with the credentials of AWS.",
    ["plain", "scram-sha-256", "scram-sha-512", "oauthbearer", "aws-msk-iam"],
  ),
  username: text("SASL user name. For plain and scram.").optional(),
  password: secret("SASL password. For plain and scram.").optional(),
  tokenFile: changingFile(
    "File with the token. The gateway reads it again at each sign-in. For oauthbearer.",
  ).optional(),
  tokenEndpoint: special(
    z.string().refine((url) => isProtectedUrl(url) && !/[#\s]/.test(url), NO_MESSAGE),
    {
      help: "URL of a token endpoint (OAuth 2.0, client credentials). For oauthbearer without tokenFile.",
      allowed: "an https URL, or an http URL of a loopback host, without user and fragment",
    },
  ).optional(),
  clientId: text("Client id at the token endpoint.").optional(),
  clientSecret: secret("Client secret at the token endpoint.").optional(),
  scope: text("Scope that the gateway asks the token endpoint for.").optional(),
  audience: text("Audience that the gateway asks the token endpoint for.").optional(),
  ca: file(
    "PEM file with the CA certificates that are trusted for the token endpoint, instead of the system's.",
  ).optional(),
  region: text("Region of the MSK cluster, such as eu-central-1. For aws-msk-iam.").optional(),
  roleArn: text(
    "ARN of the role that the gateway assumes. Default: the credentials that the AWS SDK finds. For aws-msk-iam.",
  ).optional(),
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
  groupProtocol: choice(
    "Group protocol of connectors and the event service. consumer: KIP-848, Kafka 4.0 or newer; an older cluster gets classic.",
    ["classic", "consumer"],
  ).prefault("classic"),
  consumer: choice("Client library of connectors and the event service for the group protocol classic.", [
    "kafkajs",
    "platformatic",
  ]).prefault("kafkajs"),
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
