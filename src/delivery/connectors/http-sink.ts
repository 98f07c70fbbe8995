/**
 * The delivery plan of a connector. Its endpoint sends the record's value to one URL, and reads the `retry` flag of the
 * answer, as the Auckland sink does.
 */
import { createHash, createHmac } from "node:crypto";
import type { ConsumedRecord } from "../../broker/broker.ts";
import type {
  Admission,
  DeliveryPlan,
  DeliveryRequest,
  Endpoint,
  HttpResult,
  PreparedRecord,
} from "../engine/delivery-plan.ts";
import { ORDER_KEYS } from "../engine/ordering.ts";
import { type Failure, STRATEGIES } from "../engine/strategy.ts";
import type { ConnectorSettings } from "./connector-config.ts";
import { type Decoding, decodingStep } from "./decoding.ts";

/** Consumer group of a sink connector, named as in Kafka Connect. */
export const groupOf = (connector: string): string => `connect-${connector}`;

/** Throws CONNECTOR_CONFIG_INVALID if the connector decodes and there is no registry. */
export const planOf = (settings: ConnectorSettings, decoding: Decoding): DeliveryPlan => ({
  name: settings.name,
  group: groupOf(settings.name),
  topics: settings.topics,
  endpoint: createHttpSink(settings),
  preparation: decodingStep(settings, decoding),
  strategy: STRATEGIES[settings.strategy](settings.schedules),
  orderKeyOf: ORDER_KEYS[settings.ordering],
  inFlight: settings.concurrency * settings.tasksMax,
  delayMs: settings.delayMs,
  jitter: settings.jitter,
  maxRetryAfterMs: settings.maxRetryAfterMs,
  ratePerSecond: settings.ratePerSecond,
  deadLetterTopic: settings.deadLetterTopic,
  connectTimeoutMs: settings.connectTimeoutMs,
  readTimeoutMs: settings.readTimeoutMs,
});

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const parse = (body: Buffer): unknown => {
  try {
    return JSON.parse(body.toString("utf8"));
  } catch {
    return undefined;
  }
};

/** true: retry. false: done. undefined: the body has no usable flag. */
export const retryFlag = (body: Buffer): boolean | undefined => {
  if (body.length === 0) return undefined;
  const answer = parse(body);
  if (!isObject(answer)) return undefined;
  const { retry } = answer;
  if (typeof retry === "boolean") return retry;
  if (retry === 0) return false;
  if (typeof retry !== "string") return undefined;
  const flag = retry.toLowerCase();
  if (flag === "true") return true;
  return flag === "false" ? false : undefined;
};

/**
 * The headers of Standard Webhooks 1.0: HMAC-SHA256 over `<id>.<timestamp>.<body>`. Returns names and values, alternating.
 * `timestamp`: seconds since the epoch.
 */
export const standardWebhookHeaders = (
  secret: Buffer,
  id: string,
  timestamp: number,
  body: Buffer | null,
): readonly string[] => {
  const hmac = createHmac("sha256", secret).update(`${id}.${timestamp}.`);
  const signature = (body === null ? hmac : hmac.update(body)).digest("base64");
  return ["webhook-id", id, "webhook-timestamp", String(timestamp), "webhook-signature", `v1,${signature}`];
};

const HEADER = "x-b3-traceid";
/** Characters that every HTTP implementation passes on unchanged. */
const PLAIN = /^[\x21-\x7e]{1,256}$/;

/** Id of a record: md5 of connector, topic, partition and offset, in hex. The same on every retry and after a restart. */
const recordDigest = (connector: string, record: ConsumedRecord): string =>
  createHash("md5").update(`${connector}${record.topic}${record.partition}${record.offset}`).digest("hex");

/** The record's own `X-B3-TraceId` if HTTP can carry it, else the first half of the digest. */
const traceId = (record: ConsumedRecord, digest: string): string => {
  const own = record.headers.find(({ name }) => name.toLowerCase() === HEADER)?.value?.toString("latin1");
  return own !== undefined && PLAIN.test(own) ? own : digest.slice(0, 16);
};

/** Statuses that mean that the endpoint is down. */
const DOWN_STATUSES = new Set([401, 403, 405, 406, 502, 503, 504]);

const hasHeader = ({ headers }: ConnectorSettings, wanted: string): boolean =>
  headers.some(([name]) => name.toLowerCase() === wanted);

/** RFC 7617: userinfo of the URL becomes Basic credentials, unless the configured headers contain Authorization. */
const basicCredentials = (settings: ConnectorSettings): readonly string[] => {
  const { url } = settings;
  if (hasHeader(settings, "authorization") || (url.username === "" && url.password === "")) return [];
  const userinfo = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`;
  return ["Authorization", `Basic ${Buffer.from(userinfo).toString("base64")}`];
};

const classifier =
  (successWithoutFlag: boolean) =>
  (result: HttpResult): "done" | Failure => {
    if ("kind" in result) return result.kind === "unreachable" ? "down" : "retry";
    const flag = retryFlag(result.body);
    if (flag !== undefined) return flag ? "retry" : "done";
    if (DOWN_STATUSES.has(result.status)) return "down";
    return successWithoutFlag && result.status >= 200 && result.status < 300 ? "done" : "retry";
  };

export const createHttpSink = (settings: ConnectorSettings): Endpoint => {
  const { name, url, method, secret, tombstones } = settings;
  const path = `${url.pathname}${url.search}`;
  const fixed = [...settings.headers.flat(), ...basicCredentials(settings)];
  const hasContentType = hasHeader(settings, "content-type");

  const render = (record: PreparedRecord, now: number): DeliveryRequest => {
    const digest = recordDigest(name, record);
    const trace = traceId(record, digest);
    const headers = fixed.concat(
      "X-Kafka-Topic",
      record.topic,
      "X-B3-TraceId",
      trace,
      "X-B3-SpanId",
      trace,
      "X-B3-Sampled",
      "Defer",
      "X-B3-Info",
      `topic=${record.topic}|partition=${record.partition}|offset=${record.offset}`,
    );
    if (record.contentType !== undefined && !hasContentType) headers.push("Content-Type", record.contentType);
    if (secret !== undefined) {
      const seconds = Math.floor(now / 1000);
      headers.push(...standardWebhookHeaders(secret, `msg_${digest}`, seconds, record.value));
    }
    return { origin: url.origin, path, method, headers, body: record.value };
  };

  const admitTombstone = (): Admission => {
    if (tombstones === "dead-letter") return { deadLetter: "tombstone" };
    return tombstones === "send" ? "deliver" : "skip";
  };

  return {
    admit: (record) => (record.value === null ? admitTombstone() : "deliver"),
    render,
    classify: classifier(settings.successWithoutFlag),
  };
};
