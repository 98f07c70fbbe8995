/** The JSON of a record in the formats of the REST Proxy v2 API. */
import { isUtf8 } from "node:buffer";
import type { ConsumedRecord, RecordHeader } from "../../broker/broker.ts";
import type { Decoder } from "../../registry/decoder.ts";
import { isJson } from "../../formats/json.ts";

const PLAIN_FORMATS = ["binary", "json", "text"] as const;
/** Keys and values are decoded by the schema registry. */
const REGISTRY_FORMATS = ["avro", "jsonschema", "protobuf"] as const;
export const RECORD_FORMATS = [...PLAIN_FORMATS, ...REGISTRY_FORMATS] as const;

type RegistryFormat = (typeof REGISTRY_FORMATS)[number];
export type RecordFormat = (typeof RECORD_FORMATS)[number];

export const needsRegistry = (format: RecordFormat): format is RegistryFormat =>
  (REGISTRY_FORMATS as readonly RecordFormat[]).includes(format);

/**
 * `name`: the topic as the client named it. In a format of the registry, `decoder` must have prepared the record; without a
 * decoder its key and value are base64.
 */
export const recordJson = (
  record: ConsumedRecord,
  name: string,
  format: RecordFormat,
  decoder?: Decoder,
): Buffer => {
  const encode = (part: "key" | "value"): Encoded =>
    needsRegistry(format) ? decoded(record, part, decoder) : ENCODERS[format](record[part], part);
  const key = encode("key");
  const value = encode("value");
  const headers = record.headers.length === 0 ? "" : `,"headers":[${record.headers.map(header).join(",")}]`;
  const start = `{"topic":${JSON.stringify(name)},"key":`;
  const rest =
    `,"partition":${record.partition},"offset":${record.offset.toString()},"timestamp":${record.timestamp}` +
    `${key.encoding}${value.encoding}${headers}}`;
  const parts = Buffer.byteLength(start) + VALUE.length + Buffer.byteLength(rest);
  const json = Buffer.allocUnsafe(parts + key.json.length + value.json.length);
  let at = json.write(start);
  for (const part of [key.json, VALUE, value.json]) {
    json.set(part, at);
    at += part.length;
  }
  json.write(rest, at);
  return json;
};

const VALUE = Buffer.from(',"value":');

interface Encoded {
  readonly json: Buffer;
  /** Empty, or a member that says how the part is encoded. */
  readonly encoding: string;
}

type Encoder = (bytes: Buffer | null, part: "key" | "value") => Encoded;

const plain = (json: Buffer): Encoded => ({ json, encoding: "" });
const NULL = plain(Buffer.from("null"));

const base64 = (bytes: Buffer): Buffer => Buffer.from(`"${bytes.toString("base64")}"`);
const text = (bytes: Buffer): Buffer => Buffer.from(JSON.stringify(bytes.toString()));

const marked = (json: Buffer, part: string, encoding: "text" | "base64"): Encoded => ({
  json,
  encoding: `,"${part}_encoding":"${encoding}"`,
});

/** Avro has its JSON encoding, as in the original. */
const decoded = (record: ConsumedRecord, part: "key" | "value", decoder: Decoder | undefined): Encoded => {
  const bytes = record[part];
  if (bytes === null) return NULL;
  const found = decoder?.decode(record, part, "avro-json");
  return found?.status === "decoded" ? plain(found.json) : marked(base64(bytes), part, "base64");
};

const ENCODERS: Readonly<Record<(typeof PLAIN_FORMATS)[number], Encoder>> = {
  binary: (bytes) => (bytes === null ? NULL : plain(base64(bytes))),
  json: (bytes, part) => {
    if (bytes === null) return NULL;
    if (!isUtf8(bytes)) return marked(base64(bytes), part, "base64");
    return isJson(bytes) ? plain(bytes) : marked(text(bytes), part, "text");
  },
  text: (bytes, part) => {
    if (bytes === null) return NULL;
    return isUtf8(bytes) ? plain(text(bytes)) : marked(base64(bytes), part, "base64");
  },
};

/** A repeated name is repeated here. A header without a value has the value null. */
const header = ({ name, value }: RecordHeader): string =>
  `{"key":${JSON.stringify(name)},"value":${value === null ? "null" : `"${value.toString("base64")}"`}}`;
