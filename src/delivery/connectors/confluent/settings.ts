/** What both families read once for a connector, and the model of its apis. */
import type { PreparedRecord } from "../../engine/delivery-plan.ts";
import type { TlsMaterial, Transport } from "../../engine/transport.ts";
import { type GatewayFacts, readPace, type Reader, readTopics, readTransform } from "../config-reader.ts";
import { headerFault, type HeaderPair, parseHeaders } from "../config-values.ts";
import type { Conversion } from "../conversions.ts";
import { readErrorHandling } from "../error-handling.ts";
import type { Key } from "../keys.ts";
import type { RawConfig } from "../masking.ts";
import type { ConnectorModel } from "../model.ts";
import { readOAuth2 } from "../oauth2.ts";
import { readClientCertificate, readInlineAuthorities, readProxy, readTruststore } from "../outbound.ts";
import { readTransformations } from "../transformations.ts";
import { readConversion } from "../value-converter.ts";
import { type Api, type Apis, requireApi } from "./api.ts";
import type { connectorKeys } from "./connector-keys.ts";
import { readReports } from "./reports.ts";
import { createRecordRequests } from "./requests.ts";
import { afterFailure, answerMeans } from "./retries.ts";
import type { UrlTemplate } from "./url-template.ts";

type ConnectorKeys = ReturnType<typeof connectorKeys<Authentication>>;

/** A target that the gateway may not connect to is a fault, if the URL alone shows it. */
export const readUrlTemplate = (
  { read, invalid }: Reader,
  key: Key<UrlTemplate>,
  targets: GatewayFacts["targets"],
): UrlTemplate | undefined => {
  const template = read(key);
  const refused = template && targets?.refusalOf(template.url.hostname);
  if (refused !== undefined) invalid(key.name, refused);
  return template;
};

/** User and password of the URL count if no other credentials are configured. */
export const userinfoOf = ({ url }: UrlTemplate): readonly HeaderPair[] => {
  if (url.username === "" && url.password === "") return [];
  return [basic(decodeURIComponent(url.username), decodeURIComponent(url.password))];
};

const basic = (user: string, password: string): HeaderPair => [
  "Authorization",
  `Basic ${Buffer.from(`${user}:${password}`).toString("base64")}`,
];

type Authentication = "NONE" | "BASIC" | "BEARER" | "OAUTH2";

type AuthorizationKeys = Pick<ConnectorKeys, "auth" | "user" | "password"> & { readonly token?: Key<string> };

const readBasic = ({ read, fault }: Reader, keys: AuthorizationKeys): HeaderPair => {
  const user = read(keys.user) ?? "";
  if (user === "") fault(keys.user.name, `${keys.user.name} must be set if ${keys.auth.name} is BASIC.`);
  return basic(user, read(keys.password) ?? "");
};

const readBearer = ({ read, fault, invalid }: Reader, key: Key<string>, type: string): HeaderPair => {
  const token = read(key) ?? "";
  const header: HeaderPair = ["Authorization", `Bearer ${token}`];
  const wrong = headerFault(header);
  if (token === "") fault(key.name, `${key.name} must be set if ${type} is BEARER.`);
  else if (wrong !== undefined) invalid(key.name, wrong);
  return header;
};

/** The Authorization header of each request, if there is one. */
const readAuthorization = (
  reader: Reader,
  keys: AuthorizationKeys,
  type: Authentication,
): readonly HeaderPair[] => {
  if (type === "BASIC") return [readBasic(reader, keys)];
  return type === "BEARER" && keys.token !== undefined
    ? [readBearer(reader, keys.token, keys.auth.name)]
    : [];
};

/** Switches that can't be turned on. */
const checkOthers = ({ read }: Reader, { csfle, jwt, openApi }: ConnectorKeys): void => {
  for (const key of [csfle, jwt, openApi]) read(key);
};

/** Headers that the token request has anyway. */
const TOKEN_HEADERS = new Set(["content-type", "authorization"]);

const readTokenHeaders = ({ read, invalid }: Reader, keys: ConnectorKeys): readonly HeaderPair[] => {
  const parsed = parseHeaders(read(keys.tokenHeaders) ?? "", read(keys.tokenHeaderSeparator) ?? "|");
  if ("value" in parsed) return parsed.value.filter(([name]) => !TOKEN_HEADERS.has(name.toLowerCase()));
  invalid(keys.tokenHeaders.name, parsed.reason);
  return [];
};

const readTls = (reader: Reader, keys: ConnectorKeys): TlsMaterial => {
  const { keystore, keystorePassword, keyPassword, inlineKey, inlineChain } = keys;
  reader.read(keys.keystoreType);
  reader.read(keys.truststoreType);
  const truststore = { location: keys.truststore, password: keys.truststorePassword };
  return {
    authorities: readTruststore(reader, truststore) ?? readInlineAuthorities(reader, keys.inlineAuthorities),
    client: readClientCertificate(
      reader,
      { location: keystore, password: keystorePassword, keyPassword },
      { key: inlineKey, chain: inlineChain, keyPassword },
    ),
    anyHostName: reader.read(keys.hostNames) === "",
  };
};

const readTransport = (
  reader: Reader,
  keys: ConnectorKeys,
  { targets }: GatewayFacts,
  type: Authentication,
): Transport => ({
  accessToken: readOAuth2(reader, keys, {
    targets,
    when: type === "OAUTH2" ? `${keys.auth.name} = OAUTH2` : undefined,
    headers: readTokenHeaders(reader, keys),
  }),
  proxy: readProxy(
    reader,
    { host: keys.proxyHost, port: keys.proxyPort, user: keys.proxyUser, password: keys.proxyPassword },
    targets,
  ),
  tls: readTls(reader, keys),
});

interface ConnectorContext {
  readonly name: string;
  readonly config: RawConfig;
  readonly facts: GatewayFacts;
  /** `token`: only families with auth.type=BEARER. */
  readonly keys: ConnectorKeys & { readonly token?: Key<string> };
  readonly taskClass: string;
}

/** What is read before the apis. */
export const readConnector = (reader: Reader, { name, config, facts, keys, taskClass }: ConnectorContext) => {
  const { read } = reader;
  const topics = readTopics(reader);
  const errors = readErrorHandling(reader, topics, facts, taskClass);
  const decodeFailure = errors.tolerance === "none" ? "stop" : "dead-letter";
  const converter = readConversion(reader, facts.hasRegistry, decodeFailure);
  const format = read(keys.inputFormat);
  const json = { kind: "json", withSchemas: false, decodeFailure } as const;
  const chosen = format === "JSON" ? json : ({ kind: "none" } as const);
  const onError = read(keys.onError) ?? "fail";
  const authentication = read(keys.auth) ?? "NONE";
  checkOthers(reader, keys);
  return {
    authorization: readAuthorization(reader, keys, authentication),
    ...{ name, topics, deadLetterTopic: errors.deadLetterTopic, deadLetterForm: errors.deadLetterForm },
    conversion: format === undefined ? converter : chosen,
    exhausted: onError === "fail" ? ("stop" as const) : ("drop" as const),
    transport: readTransport(reader, keys, facts, authentication),
    reports: readReports(reader, config, { connector: name, topics, auditTopic: facts.auditTopic }),
    transformations: readTransformations(reader, config),
    filter: read(keys.filter),
    transform: readTransform(reader, errors.tolerance === "none" ? "stop" : "drop"),
    pace: readPace(reader),
    secret: read(keys.secret),
    maxBytes: read(keys.batchBytes) ?? 0,
    lingerMs: read(keys.linger) ?? 0,
  };
};

type Settings = ReturnType<typeof readConnector>;

const conversionOf = ({ conversion }: Settings, apis: Apis): Conversion =>
  conversion.kind === "json"
    ? { ...conversion, keepsStrings: (topic) => apis.of(topic)?.body.format === "json" }
    : conversion;

/** Values that the registry has decoded, and results of `transform`, have a content type. */
const isJson = ({ kind }: Conversion, { contentType }: PreparedRecord): boolean =>
  kind === "json" || contentType !== undefined;

export const modelOf = (settings: Settings, apis: Apis): ConnectorModel => {
  const { name, topics, transformations, filter, transform, transport, reports, exhausted, pace, secret } =
    settings;
  const { deadLetterTopic, deadLetterForm, maxBytes, lingerMs } = settings;
  const conversion = conversionOf(settings, apis);
  const timeouts = (of: (api: Api) => number): number => Math.max(...apis.all.map(of));
  return {
    ...pace,
    ...{ topics, transformations, filter, transform, transport, reports, deadLetterTopic, deadLetterForm },
    ...{ name, conversion, delayMs: 0, checkCertificate: true, hasLettersOfDeliveries: false },
    connectTimeoutMs: timeouts(({ connectTimeoutMs }) => connectTimeoutMs),
    readTimeoutMs: timeouts(({ requestTimeoutMs }) => requestTimeoutMs),
    tombstones: "send",
    batch: undefined,
    request: createRecordRequests({
      ...{ connector: name, apis, secret, maxBytes, lingerMs, onFailure: exhausted },
      isJson: (record) => isJson(conversion, record),
    }),
    classify: (result, { topic }) => answerMeans(result, requireApi(apis, topic).retries),
    strategy: {
      after: (state, failure, { topic }) =>
        afterFailure(requireApi(apis, topic).retries, state, failure, exhausted),
    },
  };
};
