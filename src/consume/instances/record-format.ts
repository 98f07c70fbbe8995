/** The JSON of a record in the formats of the REST Proxy v2 API. */
import { isUtf8 } from "node:buffer";
import type { ConsumedRecord, RecordHeader } from "../../broker/broker.ts";
import { createJsonChecker } from "../../lib/json-check.ts";
import { afterSpace } from "../../lib/json-list.ts";

export const RECORD_FORMATS = ["binary", "json", "text"] as const;
export type RecordFormat = (typeof RECORD_FORMATS)[number];

/** `name`: the topic as the client named it. */
export const recordJson = (record: ConsumedRecord, name: string, format: RecordFormat): Buffer => {
  const encode = ENCODERS[format];
  const key = encode(record.key, "key");
  const value = encode(record.value, "value");
  const headers = record.headers.length === 0 ? "" : `,"headers":[${record.headers.map(header).join(",")}]`;
  const rest =
    `,"partition":${record.partition},"offset":${record.offset.toString()},"timestamp":${record.timestamp}` +
    `${key.encoding}${value.encoding}${headers}}`;
  return Buffer.concat([
    Buffer.from(`{"topic":${JSON.stringify(name)},"key":`),
    key.json,
    VALUE,
    value.json,
    Buffer.from(rest),
  ]);
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

/** Checks never overlap. */
const checker = createJsonChecker();

const isJson = (bytes: Buffer): boolean => {
  checker.reset();
  const end = checker.read(bytes, 0);
  checker.end();
  return checker.state === "complete" && afterSpace(bytes, end) === bytes.length;
};

const ENCODERS: Readonly<Record<RecordFormat, Encoder>> = {
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
