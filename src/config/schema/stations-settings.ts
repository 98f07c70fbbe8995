/** Settings of a declared station: its name, topic, key and schema. */
import { z } from "zod";
import { file, integer, matching, section, special, text } from "../keys.ts";

/** The names that the Memphis API accepts. The API converts names to lower case; the settings require it. */
export const stationName = matching(
  "Name of the station.",
  /^(?=.{1,128}$)[a-z0-9]([a-z0-9_.-]*[a-z0-9])?$/,
  "at most 128 characters of a-z 0-9 _ - . that start and end with a letter or digit",
);

/** Excludes internal topics (`src/broker/broker.ts`): otherwise a producer could write connectors. */
const TOPIC =
  /^(?!\.{1,2}$|_stationgate-|__(consumer_offsets|transaction_state|share_group_state|cluster_metadata)$)[a-zA-Z0-9._-]{1,249}$/;

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
  ]),
  {
    help: "Schema that each event must match.",
    allowed: "an object whose type is json-schema, zod or protobuf",
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
}).transform((given) => ({ ...given, topic: given.topic ?? given.name }));
