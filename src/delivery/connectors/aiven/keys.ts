/** The keys of Aiven's HTTP sink, in the order in which Kafka Connect lists them. */
import {
  booleanText,
  exactly,
  httpUrlOr,
  integer,
  long,
  nonBlank,
  type Parse,
  text,
} from "../config-values.ts";
import { CONVERTER_KEYS, ERRORS_KEYS } from "../connect-keys.ts";
import {
  COMMON_KEYS,
  CONSUMER_KEYS,
  CREDENTIAL_PLACES,
  enumeration,
  key,
  OWN_BATCH_KEYS,
  OWN_KEYS,
  OWN_NULL_KEYS,
  OWN_OAUTH2_KEYS,
} from "../keys.ts";

const AUTHORIZATIONS = ["none", "oauth2", "static"] as const;

/** Statuses with commas. */
const statuses: Parse<readonly number[]> = (raw) => {
  const items = raw.split(",").map((item) => item.trim());
  return items.every((item) => /^\d{1,9}$/.test(item))
    ? { value: items.map(Number) }
    : { reason: "must be a list of numbers" };
};

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
  tokenUrl: key("oauth2.access.token.url", "URL of the token endpoint.", httpUrlOr("malformed URL")),
  clientId: key("oauth2.client.id", "Client id of the token request.", text),
  clientSecret: key("oauth2.client.secret", "Client secret of the token request.", text, {
    type: "PASSWORD",
  }),
  scope: key("oauth2.client.scope", "Scope of the token request.", text),
  credentials: enumeration(
    "oauth2.client.authorization.mode",
    "Where the token request has id and secret: in the Authorization header, or in the form (URL).",
    CREDENTIAL_PLACES,
    { default: "HEADER" },
  ),
  grantTypeField: key("oauth2.request.grant.type.property", "Form field of the grant type.", nonBlank, {
    default: "grant_type",
  }),
  grantType: key("oauth2.grant.type", "Grant type of the token request.", nonBlank, {
    default: "client_credentials",
  }),
  clientIdField: key("oauth2.request.client.id.property", "Form field of the client id.", nonBlank, {
    default: "client_id",
  }),
  clientSecretField: key(
    "oauth2.request.client.secret.property",
    "Form field of the client secret.",
    nonBlank,
    { default: "client_secret" },
  ),
  tokenProperty: key(
    "oauth2.response.token.property",
    "Member of the token endpoint's answer that has the token.",
    nonBlank,
    { default: "access_token" },
  ),
  renewOn: key(
    "oauth2.token.renew.on.status.codes",
    "Statuses of the endpoint after which the token is renewed.",
    statuses,
    { type: "LIST", default: "401" },
  ),
  proxyHost: key("http.proxy.host", "Host of the proxy that the requests go through.", text),
  proxyPort: key("http.proxy.port", "Port of the proxy. -1: no proxy.", integer(-1, 65_535), {
    type: "INT",
    default: "-1",
  }),
  trustAll: key("http.ssl.trust.all.certs", "Accepts any certificate of the endpoint.", booleanText, flag),
  truststore: key(
    "http.ssl.truststore.location",
    "File with the certificate authorities of the endpoint: JKS, PKCS12 or PEM.",
    text,
  ),
  truststorePassword: key("http.ssl.truststore.password", "Password of the trust store.", text, {
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
  ...OWN_NULL_KEYS,
  ...OWN_BATCH_KEYS,
  ...OWN_OAUTH2_KEYS,
} as const;
