/** The requests of connectors: headers, signatures, and the bodies of batches. */
import { createHash, createHmac } from "node:crypto";
import type { ConsumedRecord } from "../../broker/broker.ts";
import type { Batching, DeliveryRequest, PreparedRecord } from "../engine/delivery-plan.ts";
import type { BatchModel, RequestModel } from "./model.ts";

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

/** Id of a batch. A batch of one record has the id of the record. */
const batchDigest = (connector: string, records: readonly PreparedRecord[]): string => {
  const [first] = records;
  if (first === undefined) throw new RangeError("A batch has at least one record");
  if (records.length === 1) return recordDigest(connector, first);
  const offsets = records.map(({ offset }) => offset).join(",");
  return createHash("md5").update(`${connector}${first.topic}${first.partition} ${offsets}`).digest("hex");
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

/** Headers of the signature, names and values alternating. Empty without a secret. */
export const signatureOf = (
  { name, secret }: { readonly name: string; readonly secret: Buffer | undefined },
  records: readonly PreparedRecord[],
  body: Buffer | null,
  now: number,
): readonly string[] =>
  secret === undefined
    ? []
    : standardWebhookHeaders(secret, `msg_${batchDigest(name, records)}`, Math.floor(now / 1000), body);

const hasHeader = ({ headers }: RequestModel, wanted: string): boolean =>
  headers.some(([name]) => name.toLowerCase() === wanted);

/** RFC 7617: userinfo of the URL becomes Basic credentials, unless the configured headers contain Authorization. */
const basicCredentials = (request: RequestModel): readonly string[] => {
  const { url } = request;
  if (hasHeader(request, "authorization") || (url.username === "" && url.password === "")) return [];
  const userinfo = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`;
  return ["Authorization", `Basic ${Buffer.from(userinfo).toString("base64")}`];
};

/** Headers of the Auckland sink that name the record. */
const nameHeaders = (record: ConsumedRecord, digest: string): readonly string[] => {
  const { topic, partition, offset } = record;
  const trace = traceId(record, digest);
  return [
    ...["X-Kafka-Topic", topic],
    ...["X-B3-TraceId", trace, "X-B3-SpanId", trace, "X-B3-Sampled", "Defer"],
    ...["X-B3-Info", `topic=${topic}|partition=${partition}|offset=${offset}`],
  ];
};

interface Renderer {
  /** The request of one record. */
  readonly one: (record: PreparedRecord, now: number) => DeliveryRequest;
  /** The request of a batch. */
  readonly batch: (records: readonly PreparedRecord[], body: Buffer, now: number) => DeliveryRequest;
}

export const requestsOf = (name: string, request: RequestModel): Renderer => {
  const { url, method, secret, namesRecord } = request;
  const path = `${url.pathname}${url.search}`;
  const fixed = [...request.headers.flat(), ...basicCredentials(request)];
  const hasContentType = hasHeader(request, "content-type");

  const signature = (digest: string, body: Buffer | null, now: number): readonly string[] =>
    secret === undefined ? [] : standardWebhookHeaders(secret, `msg_${digest}`, Math.floor(now / 1000), body);

  return {
    one: (record, now) => {
      const digest = namesRecord || secret !== undefined ? recordDigest(name, record) : "";
      const headers = namesRecord ? fixed.concat(nameHeaders(record, digest)) : [...fixed];
      if (record.contentType !== undefined && !hasContentType)
        headers.push("Content-Type", record.contentType);
      headers.push(...signature(digest, record.value, now));
      return { origin: url.origin, path, method, headers, body: record.value };
    },
    batch: (records, body, now) => {
      const contentType = hasContentType ? undefined : records[0]?.contentType;
      const headers = contentType === undefined ? fixed : fixed.concat("Content-Type", contentType);
      const signed = headers.concat(signatureOf({ name, secret }, records, body, now));
      return { origin: url.origin, path, method, headers: signed, body };
    },
  };
};

/** How the engine cuts and sends the batches of a connector. */
export const batchingOf = ({ batch: render }: Renderer, batch: BatchModel): Batching => {
  const [prefix, separator, suffix] = [batch.prefix, batch.separator, batch.suffix].map((text) =>
    Buffer.from(text),
  ) as [Buffer, Buffer, Buffer];
  const bodyOf = (records: readonly PreparedRecord[]): Buffer =>
    Buffer.concat([
      prefix,
      ...records.flatMap(({ value }, index) => [...(index === 0 ? [] : [separator]), value ?? EMPTY]),
      suffix,
    ]);
  return {
    maxRecords: batch.maxRecords,
    maxBytes: batch.maxBytes,
    lingerMs: batch.lingerMs,
    frameBytes: prefix.length + suffix.length - separator.length,
    bytesOf: ({ value }) => (value?.length ?? 0) + separator.length,
    // All records of a connector go to one URL with the same headers.
    groupOf: () => "",
    render: (records, now) => render(records, bodyOf(records), now),
  };
};

const EMPTY = Buffer.alloc(0);
