/** The requests of a connector whose URL, headers and body depend on the record. */
import type {
  Batching,
  DeliveryRequest,
  Prepared,
  PreparedRecord,
  RecordRequest,
} from "../../engine/delivery-plan.ts";
import { signatureOf } from "../requests.ts";
import type { RecordRequests } from "../model.ts";
import { type Api, type Apis, type BodyModel, requireApi } from "./api.ts";
import { fillHeaders } from "./headers.ts";
import { replaced } from "./replacements.ts";
import { fill, plainText } from "./template.ts";
import { fillUrl } from "./url-template.ts";

interface RequestsOptions {
  readonly connector: string;
  readonly apis: Apis;
  /** A value that isn't null is JSON. */
  readonly isJson: (record: PreparedRecord) => boolean;
  /** What follows if the request of a record can't be made. */
  readonly onFailure: "stop" | "drop";
  readonly secret: Buffer | undefined;
  readonly maxBytes: number;
  readonly lingerMs: number;
}

type Made<T> = T | { readonly reason: string };

/** The record's part of the body. */
const elementOf = (record: PreparedRecord, value: Buffer, body: BodyModel, isJson: boolean): Made<Buffer> => {
  if (body.format === "json") return isJson ? value : Buffer.from(JSON.stringify(plainText(value)));
  if (body.replacements.length === 0) return value;
  const filled = replaced(plainText(value), body.replacements, { record, isJson });
  return "reason" in filled ? filled : Buffer.from(filled.text);
};

/** The request of the record without its body. `isDelete`: the record has no value. */
const requestOf = (record: PreparedRecord, api: Api, isJson: boolean): Made<RecordRequest> => {
  const source = { record, isJson };
  const isDelete = record.value === null;
  const path = fillUrl(api.url, source, isDelete);
  if ("reason" in path) return path;
  const headers = fillHeaders(api.headers, source, !isDelete);
  if ("reason" in headers) return headers;
  const batchKey = isDelete ? { text: "" } : fill(api.batchKey, source, plainText);
  if ("reason" in batchKey) return batchKey;
  const group = isDelete ? undefined : JSON.stringify([batchKey.text, path.text, headers.headers]);
  return {
    origin: api.url.url.origin,
    path: path.text,
    method: isDelete ? "DELETE" : api.method,
    headers: headers.headers,
    group,
  };
};

const bodyOf = (records: readonly PreparedRecord[], { prefix, separator, suffix }: BodyModel): Buffer =>
  Buffer.concat([
    prefix,
    ...records.flatMap(({ value }, index) => [...(index === 0 ? [] : [separator]), value ?? Buffer.alloc(0)]),
    suffix,
  ]);

export const createRecordRequests = (options: RequestsOptions): RecordRequests => {
  const { connector, apis, onFailure, secret } = options;
  const failed = (reason: string): Prepared => ({ action: onFailure, reason, stage: "TASK_PUT" });

  const sent = (record: PreparedRecord, api: Api): Prepared => {
    const isJson = options.isJson(record);
    const request = requestOf(record, api, isJson);
    if ("reason" in request) return failed(request.reason);
    if (record.value === null) return { action: "send", record: { request, ...record } };
    const value = elementOf(record, record.value, api.body, isJson);
    return Buffer.isBuffer(value)
      ? { action: "send", record: { request, ...record, value } }
      : failed(value.reason);
  };

  const prepare = (record: PreparedRecord): Prepared => {
    const api = apis.of(record.topic);
    if (api === undefined) return failed("no api names the record's topic");
    if (record.value !== null) return sent(record, api);
    if (api.onNull === "ignore") return { action: "skip" };
    if (api.onNull === "log") return { action: "skip", reason: "the record has no value" };
    if (api.onNull === "fail") return failed("the record has no value");
    return record.key === null ? failed("the record has no value and no key") : sent(record, api);
  };

  const render = (records: readonly PreparedRecord[], now: number): DeliveryRequest => {
    const [first] = records;
    if (first?.request === undefined) throw new RangeError("The record is not prepared");
    const { origin, path, method, headers } = first.request;
    const { body, requestTimeoutMs, connectTimeoutMs } = requireApi(apis, first.topic);
    const sentBody = first.value === null ? null : bodyOf(records, body);
    const signed = headers.concat(signatureOf({ name: connector, secret }, records, sentBody, now));
    return {
      origin,
      path,
      method,
      headers: signed,
      body: sentBody,
      readTimeoutMs: requestTimeoutMs,
      connectTimeoutMs,
    };
  };

  return { prepare, render, batching: batchingOf(options, render) };
};

/** undefined: each record is sent alone. */
const batchingOf = (
  { apis, maxBytes, lingerMs }: RequestsOptions,
  render: Batching["render"],
): Batching | undefined => {
  const maxRecords = Math.max(...apis.all.map((api) => api.maxRecords));
  if (maxRecords === 1) return undefined;
  const frames = apis.all.map(({ body }) => body.prefix.length + body.suffix.length - body.separator.length);
  return {
    ...{ maxRecords, maxBytes, lingerMs, render },
    maxRecordsOf: ({ topic }) => requireApi(apis, topic).maxRecords,
    frameBytes: Math.max(...frames),
    bytesOf: ({ topic, value }) => (value?.length ?? 0) + requireApi(apis, topic).body.separator.length,
    groupOf: ({ request }) => request?.group,
  };
};
