/** Where records are stored. */
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
      ca: file("PEM file of the authorities that the broker's certificate is checked against.").optional(),
      cert: file("PEM file of the client certificate.").optional(),
      key: file("PEM file of the client certificate's key.").optional(),
    }),
  ]),
  {
    help: "TLS to Kafka: true trusts the system's authorities; ca, cert and key are PEM files.",
    allowed: "true, false or an object with ca, cert, key",
  },
);

const sasl = section({
  mechanism: choice("How the gateway signs in to Kafka.", ["plain", "scram-sha-256", "scram-sha-512"]),
  username: text("Kafka user."),
  password: secret("Kafka password."),
});

const kafka = section({
  brokers: list(
    "Addresses to ask for the cluster; required for type kafka.",
    matching("One address.", /^[^\s:/]+:\d{1,5}$|^\[[\da-f:.]+\]:\d{1,5}$/i, "host:port"),
    'a list of host:port, such as ["127.0.0.1:9092"]',
  ).prefault([]),
  clientId: text("Name under which Kafka's logs and quotas know the gateway.").prefault("stationgate"),
  ssl: ssl.prefault(false),
  sasl: sasl.optional(),
  compression: choice("Codec of record batches.", ["none", "gzip", "snappy", "lz4", "zstd"]).prefault("none"),
  idempotent: flag(
    "Retries of the gateway itself make no duplicates. Always written by platformatic.",
  ).prefault(false),
  producer: choice("Library that writes; kafkajs reads and administers in any case.", [
    "kafkajs",
    "platformatic",
  ]).prefault("platformatic"),
  connectTimeout: duration(
    "Time for a connection to a broker, signing in included, and for a broker to say who leads what.",
  ).prefault("3s"),
  requestTimeout: duration("Time for one request to a broker.").prefault("5s"),
  deliveryTimeout: duration("Time for an event to be stored; then the client gets 503.").prefault("10s"),
  maxBufferedBytes: size(
    "Events waiting to be stored; above it new ones get 503 with Retry-After at once.",
  ).prefault("64mb"),
});

const embedded = section({
  dir: directory(
    "Folder of the embedded log, and of the identity that a start without settings file makes.",
  ).prefault("./data"),
  partitions: integer("Partitions of a topic that does not declare its own.", 1, 1024).prefault(4),
  minFree: size(
    "Free space on the disk that each commit must leave; while there is less, events get 503 with Retry-After.",
  ).prefault("8mb"),
});

export const broker = section({
  type: choice("kafka, or a log on this machine's disk.", ["kafka", "embedded"]).prefault("embedded"),
  kafka: kafka.prefault({}),
  embedded: embedded.prefault({}),
});
