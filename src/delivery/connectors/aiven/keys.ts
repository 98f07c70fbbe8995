/** The keys of Aiven's HTTP sink, in the order in which Kafka Connect lists them. */
import { booleanText, exactly, httpUrlOr, integer, long, nonBlank, refused, text } from "../config-values.ts";
import { CONVERTER_KEYS, ERRORS_KEYS } from "../connect-keys.ts";
import { COMMON_KEYS, CONSUMER_KEYS, enumeration, key, OWN_BATCH_KEYS, OWN_KEYS } from "../keys.ts";

/** `oauth2` is a value of the original that isn't served yet. */
const AUTHORIZATIONS = ["none", "oauth2", "static"] as const;

const NOT_SERVED = refused("not served here");

const flag = { type: "BOOLEAN", default: "false" } as const;

export const KEYS = {
  ...COMMON_KEYS,
  ...CONSUMER_KEYS,
  url: key("http.url", "URL that the requests are sent to.", httpUrlOr("malformed URL"), { required: true }),
  authorization: key(
    "http.authorization.type",
    "Where the Authorization header comes from.",
    exactly(AUTHORIZATIONS, (choices) => `supported values are: [${choices.join(", ")}]`),
    { required: true, choices: AUTHORIZATIONS },
  ),
  authorizationHeader: key(
    "http.headers.authorization",
    "Value of the Authorization header, with http.authorization.type=static.",
    text,
    { type: "PASSWORD" },
  ),
  contentType: key("http.headers.content.type", "Value of the Content-Type header.", nonBlank),
  additionalHeaders: key("http.headers.additional", "Further headers: name:value, with commas.", text, {
    type: "LIST",
    default: "",
  }),
  proxyHost: key("http.proxy.host", "Not served here.", NOT_SERVED),
  proxyPort: key("http.proxy.port", "Not served here.", NOT_SERVED),
  trustAll: key("http.ssl.trust.all.certs", "Accepts any certificate of the endpoint.", booleanText, flag),
  truststore: key("http.ssl.truststore.location", "Not served here.", NOT_SERVED),
  truststorePassword: key("http.ssl.truststore.password", "Not served here.", NOT_SERVED, {
    type: "PASSWORD",
  }),
  batching: key("batching.enabled", "Sends up to batch.max.size records in one request.", booleanText, flag),
  batchSize: key("batch.max.size", "Maximum number of records in a request.", integer(1, 1_000_000), {
    type: "INT",
    default: "500",
  }),
  batchPrefix: key("batch.prefix", "Text before the first value of a batch.", text, { default: "" }),
  batchSeparator: key("batch.separator", "Text between the values of a batch.", text, { default: "\n" }),
  batchSuffix: key("batch.suffix", "Text after the last value of a batch.", text, { default: "\n" }),
  maxRetries: key("max.retries", "Retries of a failed attempt.", integer(0), { type: "INT", default: "1" }),
  backoff: key("retry.backoff.ms", "Wait before each retry, in milliseconds.", integer(0), {
    type: "INT",
    default: "3000",
  }),
  timeout: key("http.timeout", "Maximum time until the whole answer is received, in seconds.", integer(1), {
    type: "INT",
    default: "30",
  }),
  kafkaBackoff: key("kafka.retry.backoff.ms", "Has no effect.", long(0, 86_400_000, "86400000 (24 hours)"), {
    type: "LONG",
  }),
  decimalFormat: enumeration("decimal.format", "Has no effect.", ["BASE64", "NUMERIC"], {
    default: "BASE64",
  }),
  ...CONVERTER_KEYS,
  ...ERRORS_KEYS,
  ...OWN_KEYS,
  ...OWN_BATCH_KEYS,
} as const;
