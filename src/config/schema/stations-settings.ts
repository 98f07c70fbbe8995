/** Settings of declared stations, and of the webhook sources that post to stations. */
import { z } from "zod";
import {
  choice,
  duration,
  file,
  flag,
  integer,
  matching,
  secret,
  secretPair,
  section,
  special,
  text,
} from "../keys.ts";
import { onceOfStation, onceOfWebhook, window } from "./once-settings.ts";
import { rates } from "./server-settings.ts";

/** The names that the Memphis API accepts. The API converts names to lower case; the settings require it. */
const stationName = matching(
  "Name of the station.",
  /^(?=.{1,128}$)[a-z0-9]([a-z0-9_.-]*[a-z0-9])?$/,
  "at most 128 characters of a-z 0-9 _ - . that start and end with a letter or digit",
);

/** Excludes internal topics (`src/broker/broker.ts`): otherwise a producer could write connectors. */
const TOPIC =
  /^(?!\.{1,2}$|_stationgate-|__(consumer_offsets|transaction_state|share_group_state|cluster_metadata)$)[a-zA-Z0-9._-]{1,249}$/;

const version = special(
  z.union([
    z.literal("latest"),
    z
      .int()
      .min(1)
      .max(2 ** 31 - 1),
  ]),
  {
    help: "Version of the subject.",
    allowed: `latest, or a whole number from 1 to ${2 ** 31 - 1}`,
  },
);

const registrySchema = section({
  type: z.literal("registry"),
  subject: text("Subject in the schema registry. Default: the station's topic and `-value`.").optional(),
  format: choice("Format that the registered schema must have.", ["avro", "json", "protobuf"]).optional(),
  version: version.prefault("latest"),
  message: text("Full name of the Protobuf message. Default: the first message of the schema.").optional(),
  file: file("File with the text of the schema. The registry must have this text in the subject.").optional(),
  autoRegister: flag("Registers the text of `file` if the registry does not have it.").prefault(false),
})
  .refine((given) => given.file === undefined || given.format !== undefined, {
    path: ["format"],
    error: "is required because file is set: one of avro, json, protobuf",
  })
  .refine((given) => !given.autoRegister || given.file !== undefined, {
    path: ["file"],
    error: "is required because autoRegister is true",
  })
  .refine((given) => given.file === undefined || given.version === "latest", {
    path: ["version"],
    error: "and file are both set: set only one of them",
  })
  .refine((given) => given.message === undefined || (given.format ?? "protobuf") === "protobuf", {
    path: ["message"],
    error: "is set, but only Protobuf schemas have messages: set format to protobuf or leave message out",
  });

const schema = special(
  z.discriminatedUnion("type", [
    section({ type: z.literal("json-schema"), file: file("JSON Schema file, draft 7 or 2020-12.") }),
    section({
      type: z.literal("zod"),
      module: file("ES module that exports a zod schema."),
      export: text("Name of the exported schema.").prefault("default"),
    }),
    section({
      type: z.literal("protobuf"),
      file: file("Protobuf file (.proto)."),
      message: text("Full name of the message, including its package."),
    }),
    registrySchema,
  ]),
  {
    help: "Schema that each event must match.",
    allowed: "an object whose type is json-schema, zod, protobuf or registry",
  },
);

export const station = section({
  name: stationName,
  topic: matching(
    "Kafka topic of the station. Default: the name of the station.",
    TOPIC,
    "a Kafka topic name (at most 249 characters of a-z A-Z 0-9 . _ -) that is not an internal topic",
  ).optional(),
  partitions: integer(
    "Number of partitions of a new topic. Default: the broker's default.",
    1,
    100_000,
  ).optional(),
  replicationFactor: integer(
    "Replication factor of a new topic. Default: the broker's default.",
    1,
    32_767,
  ).optional(),
  key: matching(
    "JSON pointer (RFC 6901) to the member of the event that becomes the record's key.",
    /^(\/([^~/]|~[01])*)+$/,
    "a JSON pointer such as /orderId",
  ).optional(),
  schema: schema.optional(),
  once: onceOfStation.optional(),
}).transform((given) => ({ ...given, topic: given.topic ?? given.name }));

/** The settings of every webhook source. The union below has a section for each signature scheme. */
const common = {
  source: matching(
    "Name of the source: the last segment of its URL.",
    /^[a-zA-Z0-9][\w.-]{0,127}$/,
    "1 to 128 letters, digits, _ . - that start with a letter or digit",
  ),
  station: stationName,
  duplicateWindow: window(
    "Time for which the ids of webhooks are remembered. A repeated webhook is not stored again in this time.",
  ).prefault("24h"),
  once: onceOfWebhook,
  limits: rates.prefault({}),
};

const secrets = secretPair("Secret of the sender; two secrets during a rotation.");

const signed = <const T extends string>(scheme: T) =>
  section({ ...common, scheme: z.literal(scheme), secrets });

const header = (help: string) => matching(help, /^[!#$%&'*+.^_`|~\w-]+$/, "a header name");

const httpUrl = special(z.string().regex(/^https?:\/\/[^\s?#]+$/), {
  help: "Complete public URL of the source, without a query.",
  allowed: "an http or https URL without query",
});

const hmac = section({
  ...common,
  scheme: z.literal("hmac"),
  secrets,
  header: header("Header that carries the signature."),
  prefix: special(z.string(), {
    help: "Text before the signature in its header, such as sha256=.",
    allowed: "a string",
  }).prefault(""),
  algorithm: choice("Hash algorithm of the HMAC.", ["sha1", "sha256", "sha512"]).prefault("sha256"),
  encoding: choice("Encoding of the signature.", ["hex", "base64"]).prefault("hex"),
  template: matching(
    "Text that the sender signs, made of {body}, {timestamp} and {id}.",
    /^(?=.*\{body\})([^{}]|\{(body|timestamp|id)\})+$/s,
    "a text that contains {body}, and {timestamp} and {id} if the sender signs them",
  ).prefault("{body}"),
  timestampHeader: header(
    "Header that carries the time of the signature, in seconds since the epoch.",
  ).optional(),
  tolerance: duration(
    "Maximum difference between the time of the signature and the gateway's clock.",
  ).prefault("5m"),
  idHeader: header("Header that carries the id of the webhook.").optional(),
  idPointer: matching(
    "JSON pointer to the id of the webhook in the body.",
    /^(\/([^~/]|~[01])*)+$/,
    "a JSON pointer such as /id",
  ).optional(),
})
  .refine((given) => given.idHeader === undefined || given.idPointer === undefined, {
    path: ["idPointer"],
    error: "idHeader and idPointer are both set: set only one of them",
  })
  .refine((given) => !given.template.includes("{timestamp}") || given.timestampHeader !== undefined, {
    path: ["timestampHeader"],
    error: "is required because the template contains {timestamp}",
  })
  .refine((given) => !given.template.includes("{id}") || (given.idHeader ?? given.idPointer) !== undefined, {
    path: ["idHeader"],
    error: "is required because the template contains {id} (or set idPointer)",
  });

export const webhook = special(
  z.discriminatedUnion("scheme", [
    signed("github"),
    signed("stripe"),
    signed("standard-webhooks"),
    signed("gitlab"),
    signed("slack"),
    signed("shopify"),
    section({ ...common, scheme: z.literal("twilio"), secrets, publicUrl: httpUrl }),
    signed("linear"),
    section({
      ...common,
      scheme: z.literal("meta"),
      secrets,
      verifyToken: secret("Value of hub.verify_token that Meta sends when it verifies the URL."),
    }),
    signed("cloudevents"),
    hmac,
    section({ ...common, scheme: z.literal("none") }),
  ]),
  {
    help: "A webhook source.",
    allowed:
      "an object whose scheme is github, stripe, standard-webhooks, gitlab, slack, shopify, twilio, linear, meta, cloudevents, hmac or none",
  },
);
