/** The bytes of a stream: events, ids, gaps, heartbeats and the end, as server-sent events or as NDJSON. */
import { isUtf8 } from "node:buffer";
import type { ConsumedRecord, RecordHeader } from "../../broker/broker.ts";
import { isJson } from "../../formats/json.ts";
import type { Decoded } from "../../registry/decoder.ts";
import type { StreamDecoding } from "./decoding.ts";

export interface StreamFormat {
  readonly api: "sse" | "ndjson";
  /** Key, value and headers are base64, whatever their bytes are. */
  readonly base64: boolean;
  /** Absent: values are sent as they are stored. */
  readonly decoding?: StreamDecoding | undefined;
  /** Another form of an event, instead of the usual object. */
  readonly view?: (record: ConsumedRecord, decoded: Decoded | undefined) => object;
}

/** Events that the stream's client can't get any more. */
export interface Gap {
  readonly partition: number;
  /** The first lost offset. */
  readonly from: bigint;
  /** The first offset that is there. */
  readonly to: bigint;
}

/** "shutdown", "age", "Unauthorized", or the text of the error of a client without the right. */
export type EndReason = string;

/** True if the bytes are one JSON text in UTF-8. */
export const isJsonText = (bytes: Buffer): boolean => isUtf8(bytes) && isJson(bytes);

const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;
const SPACE = 0x20;

/** Replaces line breaks by spaces. In JSON, line breaks occur only between values. */
const inOneLine = (json: Buffer): Buffer => {
  if (!json.includes(LINE_FEED) && !json.includes(CARRIAGE_RETURN)) return json;
  const line = Buffer.from(json);
  for (let i = 0; i < line.length; i++)
    if (line[i] === LINE_FEED || line[i] === CARRIAGE_RETURN) line[i] = SPACE;
  return line;
};

const decodingMembers = (decoded: Decoded | undefined): string => {
  if (decoded === undefined) return "";
  return decoded.status === "decoded"
    ? `,"schemaId":${JSON.stringify(decoded.id)}`
    : `,"decodeError":${JSON.stringify(decoded.reason)}`;
};

/** JSON texts of the parts of a record; collects the names of the parts that are base64. */
const createParts = (alwaysBase64: boolean) => {
  const base64: string[] = [];

  const texts = (name: string, values: readonly (Buffer | null)[], isBinary = alwaysBase64): string[] => {
    const encoded = values.some((bytes) => bytes !== null && (isBinary || !isUtf8(bytes)));
    if (encoded) base64.push(name);
    return values.map((bytes) => JSON.stringify(bytes?.toString(encoded ? "base64" : "utf8") ?? null));
  };

  return {
    base64,
    text: (name: string, bytes: Buffer | null): string => texts(name, [bytes]).join(),
    value: (bytes: Buffer | null, decoded: Decoded | undefined): Buffer => {
      const json = decoded?.status === "decoded" ? decoded.json : bytes;
      const isOwn = json !== null && !alwaysBase64 && decoded?.status !== "undecodable" && isJsonText(json);
      return isOwn ? inOneLine(json) : Buffer.from(texts("value", [json], decoded !== undefined).join());
    },
    headers: (headers: readonly RecordHeader[]): string => {
      const byName = new Map<string, (Buffer | null)[]>();
      for (const { name, value } of headers) {
        const values = byName.get(name);
        if (values === undefined) byName.set(name, [value]);
        else values.push(value);
      }
      const members = [...byName].map(([name, values]) => {
        const [first = "null", ...more] = texts(`headers.${name}`, values);
        return `${JSON.stringify(name)}:${more.length === 0 ? first : `[${[first, ...more].join()}]`}`;
      });
      return `{${members.join()}}`;
    },
  };
};

/** The JSON object of an event without its opening brace. */
const eventMembers = (
  record: ConsumedRecord,
  { base64: alwaysBase64, decoding, view }: StreamFormat,
): readonly [string, Buffer, string] => {
  const decoded = decoding?.decoder.decode(record, "value", decoding.form);
  if (view !== undefined) return ["", Buffer.from(JSON.stringify(view(record, decoded)).slice(1)), ""];
  const { value } = record;
  const parts = createParts(alwaysBase64);
  const key = parts.text("key", record.key);
  const headers = parts.headers(record.headers);
  const valueText = parts.value(value, decoded);
  const base64 = parts.base64.length === 0 ? "" : `,"base64":${JSON.stringify(parts.base64)}`;
  const tombstone = value === null ? ',"tombstone":true' : "";
  const head =
    `"partition":${record.partition},"offset":"${record.offset}","timestamp":${record.timestamp},` +
    `"key":${key},"headers":${headers},"value":`;
  return [head, valueText, `${base64}${tombstone}${decodingMembers(decoded)}}`];
};

/** The block of an event. Without an id, the client's last id stays as it is. */
export const eventBlock = (record: ConsumedRecord, id: string | undefined, format: StreamFormat): Buffer => {
  const [head, value, tail] = eventMembers(record, format);
  if (format.api === "sse") {
    const idLine = id === undefined ? "" : `id: ${id}\n`;
    return Buffer.concat([Buffer.from(`${idLine}data: {${head}`), value, Buffer.from(`${tail}\n\n`)]);
  }
  const idMember = id === undefined ? "" : `"id":"${id}",`;
  return Buffer.concat([Buffer.from(`{${idMember}${head}`), value, Buffer.from(`${tail}\n`)]);
};

const blocks = (sse: string, ndjson: string, { api }: StreamFormat): Buffer =>
  Buffer.from(api === "sse" ? sse : ndjson);

export const idBlock = (id: string, format: StreamFormat): Buffer =>
  blocks(`id: ${id}\n\n`, `{"id":"${id}"}\n`, format);

export const gapBlock = ({ partition, from, to }: Gap, format: StreamFormat): Buffer => {
  const gap = `{"partition":${partition},"from":"${from}","to":"${to}"}`;
  return blocks(`event: gap\ndata: ${gap}\n\n`, `{"gap":${gap}}\n`, format);
};

export const endBlock = (reason: EndReason, format: StreamFormat): Buffer => {
  const end = JSON.stringify({ reason });
  return blocks(`event: end\ndata: ${end}\n\n`, `{"end":${end}}\n`, format);
};

export const heartbeatBlock = (format: StreamFormat): Buffer => blocks(":\n\n", "\n", format);

/** Milliseconds until a client reconnects. NDJSON has no such block. */
export const retryBlock = (ms: number, format: StreamFormat): Buffer =>
  blocks(`retry: ${ms}\n\n`, "", format);

/** Bytes to write, and the same bytes as a chunk of HTTP's transfer coding `chunked`. Streams share it. */
export interface Frame {
  readonly body: Buffer;
  readonly chunk: Buffer;
}

const LINE_END = Buffer.from("\r\n");

export const frameOf = (parts: readonly Buffer[]): Frame => {
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  const head = Buffer.from(`${length.toString(16)}\r\n`);
  // Not from Buffer's pool: a small frame in the ring would keep the whole pool in memory.
  const chunk = Buffer.allocUnsafeSlow(head.length + length + LINE_END.length);
  let at = 0;
  for (const part of [head, ...parts, LINE_END]) at += part.copy(chunk, at);
  return { chunk, body: chunk.subarray(head.length, head.length + length) };
};
