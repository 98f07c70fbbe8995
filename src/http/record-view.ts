/** Records as operators are shown them: as text where they are text, never more of one than fits on a screen. */
import { isUtf8 } from "node:buffer";
import type { ConsumedRecord } from "../broker/broker.ts";
import type { EventValidator } from "../ingest/schema/validator.ts";

/** Bytes of a key, a header or a value. */
export interface BytesView {
  /** `base64`: the bytes are no UTF-8. */
  readonly encoding: "utf-8" | "base64";
  readonly text: string;
  /** As stored. */
  readonly bytes: number;
  /** The text is only the beginning. */
  readonly truncated: boolean;
}

export interface ValueView extends BytesView {
  /** The text is the proto3 JSON of the binary message that is stored. */
  readonly decoded?: "protobuf";
}

export interface RecordView {
  readonly partition: number;
  /** Decimal: Kafka's offsets exceed what JSON's readers hold exactly. */
  readonly offset: string;
  /** Milliseconds since the epoch. */
  readonly timestamp: number;
  readonly key: BytesView | null;
  /** null is a tombstone. */
  readonly value: ValueView | null;
  readonly headers: readonly { readonly name: string; readonly value: BytesView | null }[];
}

/** Where a record's text is looked for. */
export type SearchedPart = "any" | "key" | "value";

const MAX_VALUE_BYTES = 64 * 1024;
const MAX_SMALL_BYTES = 4096;
/** In base64, of which nobody reads much. */
const MAX_BINARY_BYTES = 3 * 1024;

const bytesView = (bytes: Buffer, max: number): BytesView => {
  const isText = isUtf8(bytes);
  const kept = bytes.subarray(0, isText ? max : Math.min(max, MAX_BINARY_BYTES));
  const truncated = kept.length < bytes.length;
  const encoding = isText ? "utf-8" : "base64";
  // Streaming, the decoder keeps a character to itself that is cut in the middle.
  const text = isText ? new TextDecoder().decode(kept, { stream: truncated }) : kept.toString("base64");
  return { encoding, text, bytes: bytes.length, truncated };
};

/** Text of a value, decoded by its station's schema where that is no text itself. */
const readable = (value: Buffer, validator: EventValidator | undefined): Buffer | undefined => {
  try {
    return validator?.asJson?.(value);
  } catch {
    // Stored before the station had this schema, or by somebody else: it is shown as it is.
    return undefined;
  }
};

const valueView = (value: Buffer, validator: EventValidator | undefined): ValueView => {
  const json = readable(value, validator);
  if (json === undefined) return bytesView(value, MAX_VALUE_BYTES);
  return { ...bytesView(json, MAX_VALUE_BYTES), bytes: value.length, decoded: "protobuf" };
};

export const recordView = (record: ConsumedRecord, validator?: EventValidator): RecordView => ({
  partition: record.partition,
  offset: record.offset.toString(),
  timestamp: record.timestamp,
  key: record.key && bytesView(record.key, MAX_SMALL_BYTES),
  value: record.value && valueView(record.value, validator),
  headers: record.headers.map(({ name, value }) => ({
    name,
    value: value && bytesView(value, MAX_SMALL_BYTES),
  })),
});

/** Does a record hold this text, whatever its case? An empty one is in every record. */
export const recordFilter = (
  text: string,
  place: SearchedPart,
  validator?: EventValidator,
): ((record: ConsumedRecord) => boolean) => {
  const wanted = text.toLowerCase();
  const holds = (bytes: Buffer | null | undefined): boolean =>
    bytes?.toString().toLowerCase().includes(wanted) === true;
  if (wanted === "") return () => true;
  return ({ key, value }) =>
    (place !== "value" && holds(key)) ||
    (place !== "key" && holds(value && (readable(value, validator) ?? value)));
};
