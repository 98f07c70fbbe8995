/** Confluent's wire format: the schema id of a record, in front of the payload or in a record header. */
import type { RecordHeader } from "../broker/broker.ts";
import { FRAME_BYTES } from "../formats/frame.ts";
import type { RecordPartName, SchemaId } from "./contract.ts";

export interface FramedPayload {
  readonly id: SchemaId;
  /** The payload of Protobuf begins with the index path. */
  readonly payload: Buffer;
}

/** Header names, as Confluent's serializers write them. */
const ID_HEADERS: Readonly<Record<RecordPartName, string>> = {
  key: "__key_schema_id",
  value: "__value_schema_id",
};

const WITH_NUMBER = 0;
const WITH_GUID = 1;
const GUID_END = 17;
const LARGEST_ID = 2 ** 31 - 1;

/** True if the bytes begin like a frame, with byte 0. JSON and Protobuf messages never begin with byte 0. */
export const isFramed = (bytes: Buffer): boolean => bytes[0] === WITH_NUMBER;

/** Reads byte 0 and the id. undefined: there is no frame, or the id is not from 1 to 2^31-1. */
export const readFrame = (bytes: Buffer): FramedPayload | undefined => {
  if (bytes.length < FRAME_BYTES || !isFramed(bytes)) return undefined;
  const id = bytes.readUInt32BE(1);
  return id >= 1 && id <= LARGEST_ID ? { id, payload: bytes.subarray(FRAME_BYTES) } : undefined;
};

/** The value of the last header that carries a schema id for this part of the record. undefined: the record has no such header. */
export const idHeaderOf = (part: RecordPartName, headers: readonly RecordHeader[]): Buffer | undefined => {
  if (headers.length === 0) return undefined;
  return headers.findLast(({ name }) => name === ID_HEADERS[part])?.value ?? undefined;
};

/**
 * Reads the id of a record's key or value: from the record header if the record has one, otherwise from the frame.
 * undefined: there is neither, or it is invalid.
 */
export const readFramed = (
  part: RecordPartName,
  bytes: Buffer,
  headers: readonly RecordHeader[],
): FramedPayload | undefined => {
  const header = idHeaderOf(part, headers);
  return header === undefined ? readFrame(bytes) : withHeaderId(header, bytes);
};

/** The rest of the header is the index path of Protobuf, which belongs to the payload. */
const withHeaderId = (header: Buffer, bytes: Buffer): FramedPayload | undefined => {
  if (header[0] === WITH_NUMBER) {
    const frame = readFrame(header);
    return frame && { id: frame.id, payload: joined(frame.payload, bytes) };
  }
  if (header[0] !== WITH_GUID || header.length < GUID_END) return undefined;
  return { id: guidText(header.subarray(1, GUID_END)), payload: joined(header.subarray(GUID_END), bytes) };
};

const joined = (path: Buffer, bytes: Buffer): Buffer =>
  path.length === 0 ? bytes : Buffer.concat([path, bytes]);

const guidText = (guid: Buffer): string =>
  guid.toString("hex").replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
