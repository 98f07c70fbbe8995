/** Keys that both the Confluent family and V2 have once for a connector. */
import { booleanText, httpUrl, integer, nonBlank, oneOf, type Parse, text } from "../config-values.ts";
import { CONVERTER_KEYS, ERRORS_KEYS } from "../connect-keys.ts";
import {
  COMMON_KEYS,
  CONSUMER_KEYS,
  CREDENTIAL_PLACES,
  enumeration,
  key,
  type Key,
  OWN_BATCH_KEYS,
  OWN_KEYS,
  OWN_OAUTH2_KEYS,
} from "../keys.ts";

/** A switch that can't be turned on. */
const off: Parse<boolean> = (raw) => {
  const parsed = booleanText(raw);
  return "value" in parsed && parsed.value ? { reason: "not served here" } : parsed;
};

const flag = { type: "BOOLEAN", default: "false" } as const;
const password = { type: "PASSWORD" } as const;

/** An empty value turns the check off. */
const hostNameCheck: Parse<"https" | ""> = (raw) => {
  const value = raw.trim().toLowerCase();
  return value === "" || value === "https" ? { value } : { reason: "Expected https, or an empty value" };
};

const FORMATS = ["JSON", "STRING", "BYTES"] as const;
const REGISTRY_FORMATS = ["AVRO", "JSON_SR", "PROTOBUF"];

const inputFormat: Parse<(typeof FORMATS)[number]> = (raw) =>
  REGISTRY_FORMATS.includes(raw.trim().toUpperCase()) ? { reason: "not served here" } : oneOf(FORMATS)(raw);

const CREDENTIALS = {
  user: key("connection.user", "User, with auth.type=BASIC.", text),
  password: key("connection.password", "Password, with auth.type=BASIC.", text, password),
  tokenUrl: key("oauth2.token.url", "URL of the token endpoint, with auth.type=OAUTH2.", httpUrl),
  clientId: key("oauth2.client.id", "Client id of the token request.", text),
  clientSecret: key("oauth2.client.secret", "Client secret of the token request.", text, password),
  scope: key("oauth2.client.scope", "Scope of the token request.", text, { default: "any" }),
  credentials: enumeration(
    "oauth2.client.auth.mode",
    "Where the token request has id and secret: in the Authorization header, or in the form (URL).",
    CREDENTIAL_PLACES,
    { default: "HEADER" },
  ),
  tokenProperty: key(
    "oauth2.token.property",
    "Member of the token endpoint's answer that has the token.",
    nonBlank,
    { default: "access_token" },
  ),
  tokenHeaders: key("oauth2.client.headers", "Headers of the token request: name:value.", text),
  tokenHeaderSeparator: key("oauth2.client.header.separator", "Separator between these headers.", text, {
    default: "|",
  }),
};

const PROXY = {
  proxyHost: key("http.proxy.host", "Host of the proxy that the requests go through.", text),
  proxyPort: key("http.proxy.port", "Port of the proxy. 0: no proxy.", integer(0, 65_535), {
    type: "INT",
    default: "0",
  }),
  proxyUser: key("http.proxy.user", "User at the proxy.", text),
  proxyPassword: key("http.proxy.password", "Password at the proxy.", text, password),
};

const STORE_TYPES = ["JKS", "PKCS12", "PEM"] as const;

const TLS = {
  keystore: key("https.ssl.keystore.location", "File with the client certificate and its key.", text),
  keystorePassword: key("https.ssl.keystore.password", "Password of the key store.", text, password),
  keyPassword: key("https.ssl.key.password", "Password of the private key.", text, password),
  keystoreType: enumeration(
    "https.ssl.keystore.type",
    "Form of the key store. The content of the file decides.",
    STORE_TYPES,
    { default: "JKS" },
  ),
  inlineKey: key("https.ssl.keystore.key", "Private key of the client certificate, as PEM.", text, password),
  inlineChain: key(
    "https.ssl.keystore.certificate.chain",
    "Client certificate and its chain, as PEM.",
    text,
    password,
  ),
  truststore: key("https.ssl.truststore.location", "File with the certificate authorities.", text),
  truststorePassword: key("https.ssl.truststore.password", "Password of the trust store.", text, password),
  truststoreType: enumeration(
    "https.ssl.truststore.type",
    "Form of the trust store. The content of the file decides.",
    STORE_TYPES,
    { default: "JKS" },
  ),
  inlineAuthorities: key(
    "https.ssl.truststore.certificates",
    "Certificate authorities, as PEM.",
    text,
    password,
  ),
  hostNames: key(
    "https.ssl.endpoint.identification.algorithm",
    "https: the certificate must name the host. Empty: it may name any host.",
    hostNameCheck,
    { default: "https" },
  ),
};

/** `subject`: what the reports are about. */
const reportKeys = (kind: "result" | "error", subject: string, topic: string) => ({
  topic: key(`reporter.${kind}.topic.name`, `Topic for reports of ${subject}. Blank: none.`, text, {
    default: topic,
  }),
  partitions: key(
    `reporter.${kind}.topic.partitions`,
    "Partitions of the topic if the gateway creates it.",
    integer(1),
    { type: "INT", default: "1" },
  ),
  replicas: key(
    `reporter.${kind}.topic.replication.factor`,
    "Replicas of the topic if the gateway creates it, at most the number of brokers.",
    integer(1, 32_767),
    { type: "SHORT", default: "3" },
  ),
  format: enumeration(
    `reporter.${kind}.topic.value.format`,
    "json: the value of a report is a JSON string. string: it is bare text.",
    ["json", "string"],
    { default: "json" },
  ),
});

export const REPORT_KEYS = {
  result: reportKeys("result", "successes", "${connector}-success"),
  error: reportKeys("error", "errors", "${connector}-error"),
  errorsAs: enumeration(
    "report.errors.as",
    "Value of an error report: a text about the error, or the body of the answer.",
    ["error_string", "http_response"],
    { default: "error_string" },
  ),
} as const;

/** `authentications`: the values of `auth.type`. */
export const connectorKeys = <const T extends string>(authentications: readonly T[]) => ({
  ...COMMON_KEYS,
  ...CONSUMER_KEYS,
  auth: enumeration("auth.type", "How the requests are authenticated.", authentications, {
    default: "NONE",
  }),
  ...CREDENTIALS,
  ...PROXY,
  ...TLS,
  onError: enumeration(
    "behavior.on.error",
    "What follows a failed delivery: fail stops the task, ignore and log go on with the next record.",
    ["fail", "ignore", "log"],
    { default: "fail" },
  ),
  inputFormat: key("input.data.format", "Form of the values: JSON, STRING or BYTES.", inputFormat, {
    choices: ["JSON", "STRING", "BYTES"],
  }),
  csfle: key("csfle.enabled", "Not served here.", off, flag),
  jwt: key("oauth2.jwt.enabled", "Not served here.", off, flag),
  openApi: key("use.open.api.spec", "Not served here.", off, flag),
  ...CONVERTER_KEYS,
  ...ERRORS_KEYS,
  ...OWN_KEYS,
  ...OWN_BATCH_KEYS,
  ...OWN_OAUTH2_KEYS,
});

/** In the order in which Kafka Connect lists them. */
export const REPORT_KEY_LIST: readonly Key<unknown>[] = [
  ...Object.values(REPORT_KEYS.result),
  ...Object.values(REPORT_KEYS.error),
  REPORT_KEYS.errorsAs,
];
