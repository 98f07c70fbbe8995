/** The declared stations: their topics and what their events must look like. */
import { z } from "zod";
import { file, integer, matching, section, special, text } from "../keys.ts";

/** The names that the Memphis API accepts, already in the lower case that it folds them to. */
export const stationName = matching(
  "Name of the station.",
  /^(?=.{1,128}$)[a-z0-9]([a-z0-9_.-]*[a-z0-9])?$/,
  "at most 128 of a-z 0-9 _ - . in lower case, a letter or digit first and last",
);

/** No internal topic (`src/broker/broker.ts`): who may produce to a station could write connectors. */
const TOPIC =
  /^(?!\.{1,2}$|_stationgate-|__(consumer_offsets|transaction_state|share_group_state|cluster_metadata)$)[a-zA-Z0-9._-]{1,249}$/;

const schema = special(
  z.discriminatedUnion("type", [
    section({ type: z.literal("json-schema"), file: file("The schema: draft 7 or 2020-12.") }),
    section({
      type: z.literal("zod"),
      module: file("An ES module that exports a zod schema."),
      export: text("Name of the export.").prefault("default"),
    }),
    section({
      type: z.literal("protobuf"),
      file: file("The .proto file."),
      message: text("Full name of the message, package included."),
    }),
  ]),
  {
    help: "What each event must look like.",
    allowed: "an object whose type is json-schema, zod or protobuf",
  },
);

export const station = section({
  name: stationName,
  topic: matching(
    "Its topic; default: the station's name.",
    TOPIC,
    "a Kafka topic name: at most 249 of a-z A-Z 0-9 . _ -, and no internal topic's",
  ).optional(),
  partitions: integer("Partitions when the topic is created; default: the broker's.", 1, 100_000).optional(),
  replicationFactor: integer(
    "Replicas when the topic is created; default: the broker's.",
    1,
    32_767,
  ).optional(),
  key: matching(
    "JSON pointer (RFC 6901) into the event to the record's key.",
    /^(\/([^~/]|~[01])*)+$/,
    "a JSON pointer such as /orderId",
  ).optional(),
  schema: schema.optional(),
}).transform((given) => ({ ...given, topic: given.topic ?? given.name }));
