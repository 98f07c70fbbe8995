/** Keys of a connector's configuration: what describes a key, and the keys that all families share. */
import {
  decimal,
  exactly,
  formFields,
  integer,
  list,
  oneOf,
  signingSecret,
  text,
  wholePattern,
  type Parse,
} from "./config-values.ts";
import { compileFilter, type Filter } from "../expressions/filter/filter.ts";
import { transformFault } from "../expressions/transform/expression.ts";

export interface Key<T> {
  readonly name: string;
  readonly aliases: readonly string[];
  /** Kafka Connect's name of the type. */
  readonly type: "STRING" | "INT" | "LONG" | "SHORT" | "DOUBLE" | "LIST" | "PASSWORD" | "BOOLEAN" | "CLASS";
  /** Text of the default value. undefined: the key has no default. */
  readonly default: string | undefined;
  readonly required: boolean;
  /** All values of an enumeration; undefined: the values can't be listed. */
  readonly choices: readonly string[] | undefined;
  readonly help: string;
  readonly parse: Parse<T>;
}

type Extras = Partial<Pick<Key<unknown>, "aliases" | "type" | "default" | "required" | "choices">>;

export const key = <T>(name: string, help: string, parse: Parse<T>, extras: Extras = {}): Key<T> => ({
  name,
  help,
  parse,
  aliases: [],
  type: "STRING",
  default: undefined,
  required: false,
  choices: undefined,
  ...extras,
});

export const enumeration = <const T extends string>(
  name: string,
  help: string,
  choices: readonly T[],
  extras: Extras = {},
): Key<T> => key(name, help, oneOf(choices), { choices, ...extras });

/** Keys of Kafka Connect that each family uses. */
export const COMMON_KEYS = {
  name: key("name", "Name of the connector. Its consumer group is connect-<name>.", text),
  connectorClass: key("connector.class", "Class name or alias of this connector.", text),
  tasksMax: key(
    "tasks.max",
    "Number of tasks. Each task adds `concurrency` requests in flight.",
    integer(1, 1000),
    {
      type: "INT",
      default: "1",
    },
  ),
  topics: key("topics", "Topics to deliver, separated by commas.", list, { type: "LIST" }),
  topicsRegex: key("topics.regex", "Regular expression of the topics to deliver.", wholePattern),
} as const;

/** Kafka Connect's override of its consumer, as far as it applies here. */
export const CONSUMER_KEYS = {
  offsetReset: key(
    "consumer.override.auto.offset.reset",
    "Where a consumer group without an offset starts.",
    exactly(["earliest", "latest"], (choices) => `String must be one of: ${choices.join(", ")}`),
    { default: "earliest", choices: ["earliest", "latest"] },
  ),
} as const;

/** A blank text is no filter. */
const filter: Parse<Filter | undefined> = (raw) => {
  if (raw.trim() === "") return { value: undefined };
  const compiled = compileFilter(raw);
  return "filter" in compiled ? { value: compiled.filter } : compiled;
};

/** A blank text is no transform. */
const transform: Parse<string | undefined> = (raw) => {
  if (raw.trim() === "") return { value: undefined };
  const reason = transformFault(raw);
  return reason === undefined ? { value: raw } : { reason };
};

/** The gateway's own keys, which each family has. */
export const OWN_KEYS = {
  concurrency: key("concurrency", "Maximum number of requests in flight, per task.", integer(1, 10_000), {
    type: "INT",
    default: "1",
  }),
  ordering: enumeration(
    "ordering",
    "Records that are delivered one after another: those of a partition, those of a key, or none.",
    ["partition", "key", "none"],
    { default: "partition" },
  ),
  retryAfter: enumeration(
    "retry.after",
    "Whether Retry-After of an answer can lengthen a wait.",
    ["ignore", "honour"],
    { default: "ignore" },
  ),
  maxRetryAfter: key(
    "retry.after.max.sec",
    "Maximum Retry-After, in seconds. A larger value counts as this value.",
    integer(1),
    { type: "INT", default: "86400" },
  ),
  jitter: key(
    "request.jitter",
    "Random part added to a wait, as a fraction of it.",
    decimal((value) => value >= 0 && value <= 1, "between 0 and 1"),
    { type: "DOUBLE", default: "0" },
  ),
  rateLimit: key(
    "rate.limit.per.sec",
    "Maximum number of requests per second.",
    decimal((value) => value > 0, "greater than 0"),
    { type: "DOUBLE" },
  ),
  filter: key("filter", "CEL expression. Only records for which it is true are sent.", filter),
  transform: key("transform", "JSONata expression. The JSON of its result is sent.", transform),
  secret: key("secret", "Signing secret for Standard Webhooks.", signingSecret, { type: "PASSWORD" }),
} as const;

/** The gateway's own keys of families that have no other key for null values. */
export const OWN_NULL_KEYS = {
  tombstones: enumeration(
    "tombstones",
    "What happens to a record without a value.",
    ["skip", "send", "dead-letter"],
    { default: "skip" },
  ),
} as const;

/** The gateway's own keys of families that send batches. */
export const OWN_BATCH_KEYS = {
  linger: key(
    "batch.linger.ms",
    "How long the connector waits for a batch to fill, in milliseconds.",
    integer(0),
    { type: "INT", default: "0" },
  ),
  batchBytes: key("batch.max.bytes", "Maximum size of a batch, in bytes.", integer(1), {
    type: "INT",
    default: "8388608",
  }),
} as const;

/** The gateway's own keys of families with OAuth 2.0. */
export const OWN_OAUTH2_KEYS = {
  audience: key("oauth2.audience", "Form field audience of the token request.", text),
  extraParams: key(
    "oauth2.extra.params",
    "Further form fields of the token request: name=value&name=value.",
    formFields,
  ),
} as const;

/** `HEADER`: id and secret are in the Authorization header of the token request. `URL`: they are in its form. */
export const CREDENTIAL_PLACES = ["HEADER", "URL"] as const;
