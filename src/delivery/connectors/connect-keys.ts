/** Keys of Kafka Connect that all families but Auckland use: converters and `errors.*`. */
import { booleanText, exactly, integer, text, topicName } from "./config-values.ts";
import { key } from "./keys.ts";

export const CONVERTER_KEYS = {
  converter: key("value.converter", "Converter class of the values. Default: the bytes of the value.", text, {
    type: "CLASS",
  }),
  schemasEnable: key(
    "value.converter.schemas.enable",
    "Whether JsonConverter expects values of the form {schema, payload}.",
    booleanText,
    { type: "BOOLEAN", default: "true" },
  ),
} as const;

export const ERRORS_KEYS = {
  tolerance: key(
    "errors.tolerance",
    "What happens to a failed record: none stops the task, all goes on with the next record.",
    exactly(["none", "all"], (choices) => `String must be one of: ${choices.join(", ")}`),
    { default: "none", choices: ["none", "all"] },
  ),
  deadLetterTopic: key(
    "errors.deadletterqueue.topic.name",
    "Topic for failed records, with errors.tolerance=all.",
    topicName,
  ),
  replicas: key(
    "errors.deadletterqueue.topic.replication.factor",
    "Replicas of the dead letter topic if the gateway creates it, at most the number of brokers.",
    integer(1, 32_767),
    { type: "SHORT", default: "3" },
  ),
  contextHeaders: key(
    "errors.deadletterqueue.context.headers.enable",
    "Adds headers to dead letters that say where the record was and why it failed.",
    booleanText,
    { type: "BOOLEAN", default: "false" },
  ),
} as const;
