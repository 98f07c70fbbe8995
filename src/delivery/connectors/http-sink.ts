/** The endpoint of a connector: one URL, the record's value as the body, a `retry` flag in the answer. */
import type { ConsumedRecord } from "../../broker/broker.ts";
import type { ConnectorSettings } from "./connector-config.ts";
import type { Failure } from "../engine/strategy/strategy.ts";
import type { Admission, DeliveryRequest, Endpoint, HttpResult } from "../engine/endpoint.ts";
import { retryFlag } from "./retry-flag.ts";
import { standardWebhookHeaders } from "./standard-webhooks.ts";
import { recordDigest, traceId } from "./trace.ts";

/** Answers that speak of the endpoint, not of the record. */
const DOWN_STATUSES = new Set([401, 403, 405, 406, 502, 503, 504]);

/** RFC 7617: the userinfo of a URL is sent as Basic credentials, unless the headers already authorise. */
const basicCredentials = ({ url, headers }: ConnectorSettings): readonly string[] => {
  const configured = headers.some(([name]) => name.toLowerCase() === "authorization");
  if (configured || (url.username === "" && url.password === "")) return [];
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

  const render = (record: ConsumedRecord, now: number): DeliveryRequest => {
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
