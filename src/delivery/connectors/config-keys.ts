/** The keys of a connector's configuration, in the order in which Kafka Connect lists them. */
import { DECODINGS } from "../../registry/decoder.ts";
import { STRATEGIES, type StrategyName } from "../engine/strategy.ts";
import {
  decimal,
  httpUrl,
  integer,
  list,
  oneOf,
  secondsList,
  signingSecret,
  text,
  topicName,
  wholePattern,
  type Parse,
} from "./config-values.ts";

export const DECODE_FAILURES = ["stop", "dead-letter", "skip", "send"] as const;
/** What happens to a record that can't be decoded. */
export type DecodeFailure = (typeof DECODE_FAILURES)[number];

export interface Key<T> {
  readonly name: string;
  readonly aliases: readonly string[];
  /** Kafka Connect's name of the type. */
  readonly type: "STRING" | "INT" | "DOUBLE" | "LIST" | "PASSWORD";
  /** Text of the default value. undefined: the key has no default. */
  readonly default: string | undefined;
  readonly required: boolean;
  /** All values of an enumeration; undefined: the values can't be listed. */
  readonly choices: readonly string[] | undefined;
  readonly help: string;
  readonly parse: Parse<T>;
}

type Extras = Partial<Pick<Key<unknown>, "aliases" | "type" | "default" | "required" | "choices">>;

const key = <T>(name: string, help: string, parse: Parse<T>, extras: Extras = {}): Key<T> => ({
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

const enumeration = <const T extends string>(
  name: string,
  help: string,
  choices: readonly T[],
  extras: Extras = {},
): Key<T> => key(name, help, oneOf(choices), { choices, ...extras });

const strategyNames = Object.keys(STRATEGIES) as StrategyName[];

export const KEYS = {
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
  url: key("callback.request.url", "URL that the requests are sent to.", httpUrl, { required: true }),
  method: enumeration("callback.request.method", "HTTP method of the requests.", ["POST", "PUT", "DELETE"], {
    required: true,
    aliases: ["callback.request.methods"],
  }),
  headers: key("callback.request.headers", "Headers of the requests: a JSON object or K:V pairs.", text),
  headerSeparator: key("callback.header.separator", "Separator between K:V pairs.", text, {
    default: "|",
  }),
  connectTimeout: key(
    "callback.timeout.connect.ms",
    "Maximum time to connect, in milliseconds; 0: no limit.",
    integer(0),
    {
      type: "INT",
      default: "60000",
    },
  ),
  readTimeout: key(
    "callback.timeout.read.ms",
    "Maximum time until the whole answer is received, in milliseconds; 0: no limit.",
    integer(0),
    {
      type: "INT",
      default: "60000",
    },
  ),
  strategy: enumeration("exception.strategy", "What follows a failed attempt.", strategyNames, {
    default: "PROGRESS_BACK_OFF_DROP_MESSAGE",
  }),
  retryBackoff: key("retry.backoff.sec", "Waits between attempts, in seconds.", secondsList, {
    type: "LIST",
    default: "5,30,60,300,600",
  }),
  downBackoff: key(
    "request.retry.backoff.sec",
    "Waits between attempts while the endpoint is down, in seconds.",
    secondsList,
    {
      type: "LIST",
      default: "5,10,15",
    },
  ),
  delay: key(
    "request.delay.sec",
    "Minimum time between a record's timestamp and its first request, in seconds.",
    integer(0),
    {
      type: "INT",
      default: "0",
    },
  ),
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
  successWithoutFlag: enumeration(
    "success.without.flag",
    "What a 2xx answer without a retry flag means.",
    ["retry", "success"],
    { default: "retry" },
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
  deadLetterTopic: key("dead.letter.topic", "Topic for dropped records.", topicName),
  tombstones: enumeration(
    "tombstones",
    "What happens to a record without a value.",
    ["skip", "send", "dead-letter"],
    { default: "skip" },
  ),
  decode: enumeration(
    "decode",
    "Form in which values are sent: as stored, or decoded by the schema registry to JSON or to Avro's JSON encoding.",
    DECODINGS,
    { default: "none" },
  ),
  decodeFailure: enumeration(
    "decode.failure",
    "What happens to a record that can't be decoded. Default: dead-letter if dead.letter.topic is set, otherwise stop.",
    DECODE_FAILURES,
  ),
  secret: key("secret", "Signing secret for Standard Webhooks.", signingSecret, { type: "PASSWORD" }),
} as const;
