/**
 * Settings of the event service. Keys and environment variables have the names of the Anchor Platform:
 * `events.queue.kafka.topic` is EVENTS_QUEUE_KAFKA_TOPIC.
 */
import { isIP } from "node:net";
import { z } from "zod";
import { decodeStrkey } from "../../lib/strkey.ts";
import {
  choice,
  file,
  flag,
  integer,
  list,
  matching,
  NO_MESSAGE,
  secret,
  section,
  special,
  text,
} from "../keys.ts";

const ADDRESS = /^([^\s:/,]+|\[[\da-f:.]+\]):\d{1,5}$/i;

const unused = (help: string) =>
  integer(`${help} Accepted for compatibility with the Anchor Platform; has no effect.`, 0).optional();

const pem = (help: string) => file(`${help} A PEM file; Java key stores are not supported.`).optional();

const kafka = section({
  bootstrap_server: special(
    z
      .string()
      .transform((value) => value.split(",").map((address) => address.trim()))
      .refine((addresses) => addresses.every((address) => ADDRESS.test(address)), NO_MESSAGE),
    {
      help: "Bootstrap servers of the Kafka cluster that has the topic. Default: the gateway's own broker.",
      allowed: "host:port, or several addresses separated by commas",
    },
  ).optional(),
  topic: matching(
    "Topic of the business events. Dead letters go to <topic>.dead-letter.",
    /^(?!\.{1,2}$)[a-zA-Z0-9._-]{1,237}$/,
    "a Kafka topic name: at most 237 characters of a-z A-Z 0-9 . _ -",
  ).prefault("TRANSACTION"),
  client_id: text("Client id in requests to Kafka. Kafka uses it in logs, metrics and quotas.").prefault(
    "stationgate-events",
  ),
  retries: unused("Number of retries of the producer."),
  linger_ms: unused("Linger time of the producer."),
  batch_size: unused("Batch size of the producer."),
  poll_timeout_seconds: unused("Poll timeout of the consumer."),
  security_protocol: choice("Security protocol of the connection to Kafka.", [
    "PLAINTEXT",
    "SSL",
    "SASL_PLAINTEXT",
    "SASL_SSL",
  ]).prefault("PLAINTEXT"),
  sasl_mechanism: choice("SASL mechanism. Used by the SASL protocols.", [
    "PLAIN",
    "SCRAM-SHA-256",
    "SCRAM-SHA-512",
  ]).prefault("PLAIN"),
  ssl_verify_cert: flag("Verifies the certificates of the brokers. Used by the SSL protocols.").prefault(
    true,
  ),
  ssl_truststore_location: pem("CA certificates that verify the brokers. Default: the CAs of the system."),
  ssl_keystore_location: pem("Client certificate and private key for mutual TLS."),
});

const events = section({
  enabled: flag("Starts the event service, which reads the topic.").prefault(true),
  queue: section({
    type: special(z.enum(["kafka", "msk"]), {
      help: "Type of the queue that carries the events. msk is Kafka with the sign-in and the TLS of broker.kafka.",
      allowed:
        "kafka, or msk if broker.kafka.sasl.mechanism is aws-msk-iam (the Anchor Platform's sqs is not supported)",
    }).prefault("kafka"),
    kafka: kafka.prefault({}),
  }).prefault({}),
});

/** An http or https URL. Its host is part of the signed text exactly as it is written here. */
const url = (help: string) =>
  special(
    z
      .string()
      .refine(
        (value) => /^https?:\/\/[^\s/?#@]+([/?][^\s#]*)?$/.test(value) && URL.canParse(value),
        NO_MESSAGE,
      ),
    { help, allowed: "an http or https URL without user info and fragment" },
  );

const eventProcessor = section({
  client_status_callback: section({
    enabled: flag("Sends callbacks to clients about their transactions and customers.").prefault(true),
    transactions: choice(
      "Transactions that a client gets: its own; its own and all transactions without an owner; or all transactions.",
      ["own", "own_and_unnamed", "all"],
    ).prefault("own"),
    bodies: choice(
      "Body of a transaction callback. sep: the response of the SEP's GET /transaction. platform: the Platform API's object without personal data.",
      ["sep", "platform"],
    ).prefault("sep"),
  }).prefault({}),
  callback_api_request: section({
    enabled: flag("Sends a callback to the business server for each event.").prefault(false),
  }).prefault({}),
});

/** The Anchor Platform separates the entries of a list by commas. */
const namesOf = (given: string | readonly string[]): readonly string[] =>
  typeof given === "string" ? given.split(",").map((name) => name.trim()) : given;

const moreInfoUrl = (sep: number) =>
  section({
    more_info_url: section({
      base_url: url(
        `URL of the page about a SEP-${sep} transaction. more_info_url in a callback is this URL with the transaction's id and a token.`,
      ).prefault(`http://localhost:8080/sep${sep}/transaction/more_info`),
      jwt_expiration: integer("Lifetime of the token in seconds.", 1).prefault(600),
      txn_fields: special(z.union([z.string(), z.array(z.string())]).transform(namesOf), {
        help: "Members of the transaction that are copied into the token.",
        allowed: "a list of names, or names separated by commas",
      }).prefault([]),
    }).prefault({}),
  });

const header = () =>
  matching(
    "Header that carries the credential. Default: Authorization for jwt, X-Api-Key for api_key.",
    /^[!#$%&'*+.^_`|~\w-]+$/,
    "a header name",
  ).optional();

const expiration = () => integer("Lifetime of a token in milliseconds. Default: 30000.", 5000).optional();

const callbackApi = section({
  base_url: url("URL of the business server.").optional(),
  keep_base_path: flag(
    "true appends /event to the path of base_url; false replaces the path. Default: false.",
  ).optional(),
  check_certificate: flag("Verifies the certificate of the business server.").prefault(true),
  auth: section({
    type: choice("Authentication at the business server.", ["none", "jwt", "api_key"]).prefault("none"),
    http_header: header(),
    expiration_milliseconds: expiration(),
    jwt: section({ http_header: header(), expiration_milliseconds: expiration() }).prefault({}),
    api_key: section({ http_header: header() }).prefault({}),
  }).prefault({}),
});

const callback = (help: string) => url(help).optional();

const callbackUrls = section({
  sep6: callback("URL for SEP-6 deposits and withdrawals."),
  sep12: callback("URL for SEP-12 customers."),
  sep24: callback("URL for SEP-24 interactive deposits and withdrawals."),
  sep31: callback("URL for SEP-31 cross-border payments."),
  transaction_created: callback("URL for events of this type, for all SEPs."),
  transaction_status_changed: callback("URL for events of this type, for all SEPs."),
  transaction_error: callback("URL for events of this type, for all SEPs."),
  quote_created: callback("No effect: clients get no quotes."),
  customer_updated: callback("URL for events of this type."),
}).prefault({});

const isDomain = (value: string): boolean => /^[^\s/:@]+(:\d+)?$/.test(value) && isIP(value) !== 6;

const client = special(
  z.discriminatedUnion("type", [
    section({
      type: z.literal("custodial"),
      name: text("Name of the client."),
      signing_keys: list(
        "Stellar accounts of the client.",
        text("A Stellar account."),
        "a non-empty list of accounts",
      ).min(1),
      callback_urls: callbackUrls,
      allow_any_destination: flag(
        "Accepted for compatibility with the Anchor Platform; has no effect.",
      ).optional(),
      destination_accounts: list(
        "Accepted for compatibility with the Anchor Platform; has no effect.",
        text("A Stellar account."),
      ).optional(),
    }),
    section({
      type: z.literal("noncustodial"),
      name: text("Name of the client."),
      domains: list(
        "Home domains of the client.",
        special(z.string().refine(isDomain, NO_MESSAGE), {
          help: "A domain.",
          allowed: "a domain such as wallet.example",
        }),
        "a non-empty list of domains",
      ).min(1),
      callback_urls: callbackUrls,
    }),
  ]),
  { help: "A client.", allowed: "an object whose type is custodial or noncustodial" },
);

const clients = section({
  type: choice("Form of the list of clients: in value as a file, yaml or json, or in items (inline).", [
    "file",
    "yaml",
    "json",
    "inline",
  ]).prefault("yaml"),
  value: list(
    "Clients: the path of a file with the list, or the list itself as YAML or JSON.",
    client,
    "a list of clients, or an object with such a list as items",
  ).prefault([]),
  items: list("Clients, if clients.type is inline.", client, "a list of clients").prefault([]),
});

/** The clients, from `items` or `value` by their `type`. */
export const clientsIn = ({
  type,
  value,
  items,
}: z.output<typeof clients>): z.output<typeof clients>["value"] => (type === "inline" ? items : value);

const isSeed = (value: string): boolean => decodeStrkey("seed", value) !== undefined;

const moreInfoSecret = (sep: number) =>
  section({
    more_info_url: section({
      jwt_secret: secret(
        `HS256 key of the tokens in the more_info_url of SEP-${sep} transactions, at least 32 bytes. Without it the bodies have no more_info_url.`,
      ).optional(),
    }).prefault({}),
  }).prefault({});

const secrets = section({
  callback_api: section({
    auth_secret: secret(
      "HS256 key of the tokens for the business server (jwt), or its API key (api_key).",
    ).optional(),
  }).prefault({}),
  sep10: section({
    signing_seed: special(z.string().refine(isSeed, NO_MESSAGE), {
      help: "Stellar secret seed that signs callbacks to clients.",
      allowed: "a Stellar secret seed: S followed by 55 characters",
      secret: true,
    }).optional(),
  }).prefault({}),
  sep6: moreInfoSecret(6),
  sep24: moreInfoSecret(24),
  events: section({
    queue: section({
      kafka: section({
        username: secret("SASL user name of the event service.").optional(),
        password: secret("SASL password of the event service.").optional(),
      }).prefault({}),
    }).prefault({}),
  }).prefault({}),
});

export const eventService = section({
  file: file(
    "Settings file of an Anchor Platform. Sections that don't concern events are ignored; settings in this file and in the environment take precedence.",
  ).optional(),
  events: events.prefault({}),
  event_processor: eventProcessor.prefault({}),
  callback_api: callbackApi.prefault({}),
  clients: clients.prefault({}),
  sep6: moreInfoUrl(6).prefault({}),
  sep24: moreInfoUrl(24).prefault({}),
  secret: secrets.prefault({}),
});
