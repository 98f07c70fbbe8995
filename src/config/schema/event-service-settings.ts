/**
 * The event service: what it reads, and whom it calls. Names, here and in the environment, are the Anchor Platform's:
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
  NO_WORDS,
  secret,
  section,
  special,
  text,
} from "../keys.ts";

const ADDRESS = /^([^\s:/,]+|\[[\da-f:.]+\]):\d{1,5}$/i;

const unused = (help: string) =>
  integer(`${help} Taken as the Anchor Platform has it, and without effect here.`, 0).optional();

const pem = (help: string) => file(`${help} A PEM file; Java's own stores are not read.`).optional();

const kafka = section({
  bootstrap_server: special(
    z
      .string()
      .transform((value) => value.split(",").map((address) => address.trim()))
      .refine((addresses) => addresses.every((address) => ADDRESS.test(address)), NO_WORDS),
    {
      help: "Kafka with the topic; without it the gateway's own broker has it.",
      allowed: "host:port, or several with commas between them",
    },
  ).optional(),
  topic: matching(
    "Topic of the business events; their dead letters go to <topic>.dead-letter.",
    /^(?!\.{1,2}$)[a-zA-Z0-9._-]{1,237}$/,
    "a Kafka topic name: at most 237 of a-z A-Z 0-9 . _ -",
  ).prefault("TRANSACTION"),
  client_id: text("Name under which Kafka's logs and quotas know the event service.").prefault(
    "stationgate-events",
  ),
  retries: unused("Retries of the producer."),
  linger_ms: unused("Patience of the producer."),
  batch_size: unused("Batches of the producer."),
  poll_timeout_seconds: unused("Patience of the consumer."),
  security_protocol: choice("How the connection is secured.", [
    "PLAINTEXT",
    "SSL",
    "SASL_PLAINTEXT",
    "SASL_SSL",
  ]).prefault("PLAINTEXT"),
  sasl_mechanism: choice("How the event service signs in, with the SASL protocols.", [
    "PLAIN",
    "SCRAM-SHA-256",
    "SCRAM-SHA-512",
  ]).prefault("PLAIN"),
  ssl_verify_cert: flag("Kafka's certificate is checked, with the SSL protocols.").prefault(true),
  ssl_truststore_location: pem("Authorities that are trusted; default: the system's."),
  ssl_keystore_location: pem("Certificate and key of the event service."),
});

const events = section({
  enabled: flag("The event service reads its topic.").prefault(true),
  queue: section({
    type: special(z.enum(["kafka"]), {
      help: "What carries the events.",
      allowed: "kafka (the Anchor Platform's sqs and msk are not supported)",
    }).prefault("kafka"),
    kafka: kafka.prefault({}),
  }).prefault({}),
});

/** An http or https URL whose host can be signed as it is written. */
const url = (help: string) =>
  special(
    z
      .string()
      .refine(
        (value) => /^https?:\/\/[^\s/?#@]+([/?][^\s#]*)?$/.test(value) && URL.canParse(value),
        NO_WORDS,
      ),
    { help, allowed: "an http or https URL without user and fragment" },
  );

const eventProcessor = section({
  client_status_callback: section({
    enabled: flag("Clients get callbacks for their transactions and customers.").prefault(true),
    transactions: choice(
      "Transactions that a client gets: its own, also those that name no client and belong to none, or all.",
      ["own", "own_and_unnamed", "all"],
    ).prefault("own"),
    bodies: choice(
      "Body of a transaction: as its SEP's GET /transaction answers it, or the platform's own object without personal data.",
      ["sep", "platform"],
    ).prefault("sep"),
  }).prefault({}),
  callback_api_request: section({
    enabled: flag("The business server gets a callback for each event.").prefault(false),
  }).prefault({}),
});

/** As the Anchor Platform's environment writes lists. */
const namesOf = (given: string | readonly string[]): readonly string[] =>
  typeof given === "string" ? given.split(",").map((name) => name.trim()) : given;

const moreInfoUrl = (sep: number) =>
  section({
    more_info_url: section({
      base_url: url(
        `Page about a SEP-${sep} transaction; more_info_url is this URL with the transaction's id and a token.`,
      ).prefault(`http://localhost:8080/sep${sep}/transaction/more_info`),
      jwt_expiration: integer("How long the token is valid, in seconds.", 1).prefault(600),
      txn_fields: special(z.union([z.string(), z.array(z.string())]).transform(namesOf), {
        help: "Members of the transaction that the token repeats.",
        allowed: "a list of names, or names with commas between them",
      }).prefault([]),
    }).prefault({}),
  });

const header = () =>
  matching(
    "Header that carries it; default: Authorization, or X-Api-Key for a key.",
    /^[!#$%&'*+.^_`|~\w-]+$/,
    "a header name",
  ).optional();

const expiration = () =>
  integer("How long a token is valid, in milliseconds; default: 30000.", 5000).optional();

const callbackApi = section({
  base_url: url("The business server.").optional(),
  keep_base_path: flag(
    "true: /event goes below the path of base_url; false: it replaces the path. Default: false.",
  ).optional(),
  check_certificate: flag("The business server's certificate is checked.").prefault(true),
  auth: section({
    type: choice("How the event service signs in at the business server.", [
      "none",
      "jwt",
      "api_key",
    ]).prefault("none"),
    http_header: header(),
    expiration_milliseconds: expiration(),
    jwt: section({ http_header: header(), expiration_milliseconds: expiration() }).prefault({}),
    api_key: section({ http_header: header() }).prefault({}),
  }).prefault({}),
});

const callback = (help: string) => url(help).optional();

const callbackUrls = section({
  sep6: callback("Deposits and withdrawals."),
  sep12: callback("Customers."),
  sep24: callback("Interactive deposits and withdrawals."),
  sep31: callback("Cross-border payments."),
  transaction_created: callback("Events of this type, whatever their SEP."),
  transaction_status_changed: callback("Events of this type, whatever their SEP."),
  transaction_error: callback("Events of this type, whatever their SEP."),
  quote_created: callback("Nothing: quotes go to no client."),
  customer_updated: callback("Events of this type."),
}).prefault({});

const isDomain = (value: string): boolean => /^[^\s/:@]+(:\d+)?$/.test(value) && isIP(value) !== 6;

const client = special(
  z.discriminatedUnion("type", [
    section({
      type: z.literal("custodial"),
      name: text("Name of the client."),
      signing_keys: list("Its accounts.", text("An account."), "a list of accounts that is not empty").min(1),
      callback_urls: callbackUrls,
      allow_any_destination: flag("The Anchor Platform's own.").optional(),
      destination_accounts: list("The Anchor Platform's own.", text("An account.")).optional(),
    }),
    section({
      type: z.literal("noncustodial"),
      name: text("Name of the client."),
      domains: list(
        "Its home domains.",
        special(z.string().refine(isDomain, NO_WORDS), {
          help: "A domain.",
          allowed: "a domain such as wallet.example",
        }),
        "a list of domains that is not empty",
      ).min(1),
      callback_urls: callbackUrls,
    }),
  ]),
  { help: "A client.", allowed: "an object whose type is custodial or noncustodial" },
);

const clients = section({
  type: choice("Where the clients are: in value (file, yaml, json) or in items (inline).", [
    "file",
    "yaml",
    "json",
    "inline",
  ]).prefault("yaml"),
  value: list(
    "The clients: the path of a file that lists them, or the list itself as YAML or JSON.",
    client,
    "a list of clients, or an object with such a list as items",
  ).prefault([]),
  items: list("The clients, with type inline.", client, "a list of clients").prefault([]),
});

/** The clients, wherever they stand. */
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
        `HS256 key of the tokens in SEP-${sep}'s more_info_url, 32 bytes or more; without it the bodies have no more_info_url.`,
      ).optional(),
    }).prefault({}),
  }).prefault({});

const secrets = section({
  callback_api: section({
    auth_secret: secret("Key of the business server's tokens, or its API key.").optional(),
  }).prefault({}),
  sep10: section({
    signing_seed: special(z.string().refine(isSeed, NO_WORDS), {
      help: "Signs the callbacks to clients.",
      allowed: "a Stellar secret seed: S and 55 more characters",
      secret: true,
    }).optional(),
  }).prefault({}),
  sep6: moreInfoSecret(6),
  sep24: moreInfoSecret(24),
  events: section({
    queue: section({
      kafka: section({
        username: secret("Kafka user of the event service.").optional(),
        password: secret("Kafka password of the event service.").optional(),
      }).prefault({}),
    }).prefault({}),
  }).prefault({}),
});

export const eventService = section({
  file: file(
    "Settings of an Anchor Platform: its other sections are ignored, and what is said here wins.",
  ).optional(),
  events: events.prefault({}),
  event_processor: eventProcessor.prefault({}),
  callback_api: callbackApi.prefault({}),
  clients: clients.prefault({}),
  sep6: moreInfoUrl(6).prefault({}),
  sep24: moreInfoUrl(24).prefault({}),
  secret: secrets.prefault({}),
});
