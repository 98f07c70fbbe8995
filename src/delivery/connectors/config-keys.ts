/** Every key of a connector's configuration that is understood here, in the order in which Connect would list them. */
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

export interface Key<T> {
  readonly name: string;
  readonly aliases: readonly string[];
  /** Kafka Connect's name for the kind of value. */
  readonly type: "STRING" | "INT" | "DOUBLE" | "LIST" | "PASSWORD";
  /** The text that stands for an absent key; undefined: there is no value then. */
  readonly default: string | undefined;
  readonly required: boolean;
  readonly help: string;
  readonly parse: Parse<T>;
}

type Extras = Partial<Pick<Key<unknown>, "aliases" | "type" | "default" | "required">>;

const key = <T>(name: string, help: string, parse: Parse<T>, extras: Extras = {}): Key<T> => ({
  name,
  help,
  parse,
  aliases: [],
  type: "STRING",
  default: undefined,
  required: false,
  ...extras,
});

const strategyNames = Object.keys(STRATEGIES) as StrategyName[];

export const KEYS = {
  name: key("name", "Name of the connector; its consumer group is connect-<name>.", text),
  connectorClass: key("connector.class", "Name or alias of the class of this connector.", text),
  tasksMax: key("tasks.max", "Tasks; each adds `concurrency` requests in flight.", integer(1, 1000), {
    type: "INT",
    default: "1",
  }),
  topics: key("topics", "Topics to deliver, separated by commas.", list, { type: "LIST" }),
  topicsRegex: key("topics.regex", "Regular expression of the topics to deliver.", wholePattern),
  url: key("callback.request.url", "Where the requests go.", httpUrl, { required: true }),
  method: key(
    "callback.request.method",
    "HTTP method of the requests.",
    oneOf(["POST", "PUT", "DELETE"] as const),
    {
      required: true,
      aliases: ["callback.request.methods"],
    },
  ),
  headers: key("callback.request.headers", "Headers of the requests: a JSON object or K:V pairs.", text),
  headerSeparator: key("callback.header.separator", "What stands between two K:V pairs.", text, {
    default: "|",
  }),
  connectTimeout: key("callback.timeout.connect.ms", "Longest wait for a connection.", integer(0), {
    type: "INT",
    default: "60000",
  }),
  readTimeout: key("callback.timeout.read.ms", "Longest wait for the whole answer.", integer(0), {
    type: "INT",
    default: "60000",
  }),
  strategy: key("exception.strategy", "What follows a failed attempt.", oneOf(strategyNames), {
    default: "PROGRESS_BACK_OFF_DROP_MESSAGE",
  }),
  retryBackoff: key("retry.backoff.sec", "Waits between attempts, in seconds.", secondsList, {
    type: "LIST",
    default: "5,30,60,300,600",
  }),
  downBackoff: key(
    "request.retry.backoff.sec",
    "Waits while the endpoint is down, in seconds.",
    secondsList,
    {
      type: "LIST",
      default: "5,10,15",
    },
  ),
  delay: key("request.delay.sec", "Seconds between a record's timestamp and its request.", integer(0), {
    type: "INT",
    default: "0",
  }),
  concurrency: key("concurrency", "Requests in flight at once, per task.", integer(1, 10_000), {
    type: "INT",
    default: "1",
  }),
  ordering: key(
    "ordering",
    "What is delivered one after the other.",
    oneOf(["partition", "key", "none"] as const),
    { default: "partition" },
  ),
  successWithoutFlag: key(
    "success.without.flag",
    "What a 2xx answer without a retry flag means.",
    oneOf(["retry", "success"] as const),
    { default: "retry" },
  ),
  retryAfter: key(
    "retry.after",
    "Whether an answer's Retry-After may lengthen a wait.",
    oneOf(["ignore", "honour"] as const),
    { default: "ignore" },
  ),
  maxRetryAfter: key(
    "retry.after.max.sec",
    "Longest Retry-After that lengthens a wait, in seconds; a longer one counts as so much.",
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
    "Most requests in a second.",
    decimal((value) => value > 0, "greater than 0"),
    { type: "DOUBLE" },
  ),
  deadLetterTopic: key("dead.letter.topic", "Where dropped records go.", topicName),
  tombstones: key(
    "tombstones",
    "What becomes of a record without a value.",
    oneOf(["skip", "send", "dead-letter"] as const),
    { default: "skip" },
  ),
  secret: key("secret", "Standard Webhooks signing secret.", signingSecret, { type: "PASSWORD" }),
} as const;
