/** Keys that say how records are sent. The Confluent family has them once, V2 for each api with a prefix. */
import { booleanText, integer, text } from "../config-values.ts";
import { enumeration, key } from "../keys.ts";
import { statusRanges } from "./retries.ts";

export const POLICIES = ["constant_value", "exponential_with_jitter"] as const;

const int = (value: string) => ({ type: "INT", default: value }) as const;

/** The name of a key of the Confluent family in another family. */
type Naming = (name: string) => string;

const requestKeys = (named: Naming) => ({
  method: enumeration(named("request.method"), "HTTP method of the requests.", ["POST", "PUT", "PATCH"], {
    default: "POST",
  }),
  headers: key(named("headers"), "Headers of the requests: name:value, may contain templates.", text),
  headerSeparator: key(named("header.separator"), "Separator between headers.", text, { default: "|" }),
  bodyFormat: enumeration(named("request.body.format"), "Form of the body.", ["string", "json"], {
    default: "string",
  }),
  jsonAsArray: key(
    named("batch.json.as.array"),
    "Whether a json body is an array. False is allowed only with batches of one record.",
    booleanText,
    { type: "BOOLEAN", default: "true" },
  ),
  maxRecords: key(named("batch.max.size"), "Maximum number of records in a request.", integer(1), int("1")),
  batchKey: key(
    named("batch.key.pattern"),
    "Template: records share a batch only if it gives the same text for them.",
    text,
    { default: "someKey" },
  ),
  prefix: key(named("batch.prefix"), "Text before the values of a string body.", text, { default: "" }),
  suffix: key(named("batch.suffix"), "Text after the values of a string body.", text, { default: "" }),
  separator: key(named("batch.separator"), "Text between the values of a string body.", text, {
    default: ",",
    aliases: [named("batch.seperator")],
  }),
});

const regexKeys = (named: Naming) => ({
  patterns: key(named("regex.patterns"), "RE2 patterns whose matches in a string body are replaced.", text),
  replacements: key(named("regex.replacements"), "Replacement for each pattern.", text),
  regexSeparator: key(named("regex.separator"), "Separator of patterns and of replacements.", text, {
    default: "~",
  }),
});

const failureKeys = (named: Naming, policy: (typeof POLICIES)[number]) => ({
  onNull: enumeration(
    named("behavior.on.null.values"),
    "What happens to a record without a value.",
    ["ignore", "delete", "log", "fail"],
    { default: "ignore" },
  ),
  maxRetries: key(named("max.retries"), "Retries of a failed attempt.", integer(0), int("5")),
  backOff: key(named("retry.backoff.ms"), "Wait before a retry, in milliseconds.", integer(0), int("3000")),
  policy: enumeration(
    named("retry.backoff.policy"),
    "exponential_with_jitter: wait n is between the back-off and 2^(n-1) times the back-off.",
    POLICIES,
    { default: policy },
  ),
  statuses: key(
    named("retry.on.status.codes"),
    "Statuses that are retried, for example 404,408,500-.",
    statusRanges,
    { default: "400-" },
  ),
  connectTimeout: key(
    named("http.connect.timeout.ms"),
    "Maximum time to connect, in milliseconds; 0: no limit.",
    integer(0),
    int("30000"),
  ),
  requestTimeout: key(
    named("http.request.timeout.ms"),
    "Maximum time until the whole answer is received, in milliseconds; 0: no limit.",
    integer(0),
    int("30000"),
  ),
});

export const apiKeys = (named: Naming, policy: (typeof POLICIES)[number]) => ({
  ...requestKeys(named),
  ...regexKeys(named),
  ...failureKeys(named, policy),
});

export type ApiKeys = ReturnType<typeof apiKeys>;
