/** Records as operators see them: UTF-8 as text, other bytes as base64, and long values cut. */
import { isUtf8 } from "node:buffer";
import type { ConsumedRecord } from "../broker/broker.ts";
import type { SchemaId } from "../registry/contract.ts";
import type { Decoded } from "../registry/decoder.ts";
import type { EventValidator } from "../ingest/schema/validator.ts";

/** Bytes of a key, a header or a value. */
export interface BytesView {
  /** `base64`: the bytes are not UTF-8. */
  readonly encoding: "utf-8" | "base64";
  readonly text: string;
  /** Bytes of the stored value. */
  readonly bytes: number;
  /** The text is cut. */
  readonly truncated: boolean;
}

export interface ValueView extends BytesView {
  /** The text is the JSON of a stored value of this format. */
  readonly decoded?: "avro" | "jsonschema" | "protobuf";
  /** The id of the schema that decoded the value. */
  readonly schemaId?: SchemaId;
  /** Why the value can't be decoded. */
  readonly decodeError?: string;
}

export interface RecordView {
  readonly partition: number;
  /** A decimal text, because JSON readers can't hold large offsets exactly. */
  readonly offset: string;
  /** Milliseconds since the epoch. */
  readonly timestamp: number;
  readonly key: BytesView | null;
  /** null is a tombstone. */
  readonly value: ValueView | null;
  readonly headers: readonly { readonly name: string; readonly value: BytesView | null }[];
}

/** The part of a record that is searched. */
type SearchedPart = "any" | "key" | "value";

const MAX_VALUE_BYTES = 64 * 1024;
const MAX_SMALL_BYTES = 4096;
/** Maximum bytes of a value that are shown as base64. */
const MAX_BINARY_BYTES = 3 * 1024;

const bytesView = (bytes: Buffer, max: number): BytesView => {
  const isText = isUtf8(bytes);
  const kept = bytes.subarray(0, isText ? max : Math.min(max, MAX_BINARY_BYTES));
  const truncated = kept.length < bytes.length;
  const encoding = isText ? "utf-8" : "base64";
  // With `stream`, the decoder leaves out a character that is cut in the middle.
  const text = isText ? new TextDecoder().decode(kept, { stream: truncated }) : kept.toString("base64");
  return { encoding, text, bytes: bytes.length, truncated };
};

/** The text of a value; a binary value is decoded by the station's schema. */
export const readable = (
  { value }: Pick<ConsumedRecord, "value">,
  validator: EventValidator | undefined,
): Buffer | undefined => {
  try {
    return value === null ? undefined : validator?.asJson?.(value);
  } catch {
    // The value doesn't match the schema, for example because it is older: it is shown undecoded.
    return undefined;
  }
};

const valueView = (value: Buffer, validator: EventValidator | undefined): ValueView => {
  const json = readable({ value }, validator);
  if (json === undefined) return bytesView(value, MAX_VALUE_BYTES);
  return { ...bytesView(json, MAX_VALUE_BYTES), bytes: value.length, decoded: "protobuf" };
};

const decodedView = (value: Buffer, decoded: Decoded): ValueView => {
  if (decoded.status === "undecodable")
    return { ...bytesView(value, MAX_VALUE_BYTES), decodeError: decoded.reason };
  return {
    ...bytesView(decoded.json, MAX_VALUE_BYTES),
    bytes: value.length,
    decoded: DECODED_NAMES[decoded.type],
    schemaId: decoded.id,
  };
};

const DECODED_NAMES = { AVRO: "avro", JSONSCHEMA: "jsonschema", PROTOBUF: "protobuf" } as const;

/** `decoded`: the value, decoded by the schema registry. */
export const recordView = (
  record: ConsumedRecord,
  validator?: EventValidator,
  decoded?: Decoded,
): RecordView => ({
  partition: record.partition,
  offset: record.offset.toString(),
  timestamp: record.timestamp,
  key: record.key && bytesView(record.key, MAX_SMALL_BYTES),
  value:
    record.value &&
    (decoded === undefined ? valueView(record.value, validator) : decodedView(record.value, decoded)),
  headers: record.headers.map(({ name, value }) => ({
    name,
    value: value && bytesView(value, MAX_SMALL_BYTES),
  })),
});

/**
 * A filter that accepts a record if it contains the text, whatever the case of its letters. undefined for an empty text, which
 * every record contains. `readableOf`: the text of a binary value, if there is one.
 */
export const recordFilter = (
  text: string,
  part: SearchedPart,
  readableOf: (record: ConsumedRecord) => Buffer | null | undefined = () => undefined,
): ((record: ConsumedRecord) => boolean) | undefined => {
  if (text === "") return undefined;
  const wanted = text.toLowerCase();
  const holds = (bytes: Buffer | null | undefined): boolean =>
    bytes?.toString().toLowerCase().includes(wanted) === true;
  return (record) =>
    (part !== "value" && holds(record.key)) || (part !== "key" && holds(readableOf(record) ?? record.value));
};
