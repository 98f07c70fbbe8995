/** The keys of the Auckland HTTP sink, in the order in which Kafka Connect lists them. */
import { DECODINGS } from "../../../registry/decoder.ts";
import { STRATEGIES, type StrategyName } from "../../engine/strategy.ts";
import { httpUrl, integer, secondsList, text, topicName } from "../config-values.ts";
import { DECODE_FAILURES } from "../decoding.ts";
import { COMMON_KEYS, CONSUMER_KEYS, enumeration, key, OWN_KEYS, OWN_NULL_KEYS } from "../keys.ts";

const strategyNames = Object.keys(STRATEGIES) as StrategyName[];

export const KEYS = {
  ...COMMON_KEYS,
  ...CONSUMER_KEYS,
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
  ...OWN_KEYS,
  ...OWN_NULL_KEYS,
  successWithoutFlag: enumeration(
    "success.without.flag",
    "What a 2xx answer without a retry flag means.",
    ["retry", "success"],
    { default: "retry" },
  ),
  deadLetterTopic: key("dead.letter.topic", "Topic for dropped records.", topicName),
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
} as const;
