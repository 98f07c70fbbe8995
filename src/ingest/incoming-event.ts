/** An event as an API family parsed it, before validation by its station. */
import type { RecordHeader } from "../broker/broker.ts";
import { GatewayError } from "../errors.ts";

export interface IncomingEvent {
  /** The bytes as sent. null: a tombstone, which is not validated. */
  readonly value: Buffer | null;
  /** Stored as the record's header `content-type`. undefined: unknown, no header is stored. */
  readonly contentType: string | undefined;
  /** The record gets `headers` only. `contentType` is used for validation and is not stored. */
  readonly exactHeaders?: true;
  /** The key that the client sent (v2, v3). undefined: the station's key pointer decides. */
  readonly key?: Buffer | null;
  /** Record headers, in order. */
  readonly headers: readonly RecordHeader[];
  /** Milliseconds since the epoch. Default: the time of arrival. */
  readonly timestamp?: number;
  readonly partition?: number;
}

/** Bytes of an event's key, value and headers; 0 for an event that could not be parsed. */
export const sizeOfEvent = (event: IncomingEvent | GatewayError): number => {
  if (event instanceof GatewayError) return 0;
  return (event.value?.length ?? 0) + (event.key?.length ?? 0) + sizeOfHeaders(event.headers);
};

export const sizeOfHeaders = (headers: readonly RecordHeader[]): number => {
  let bytes = 0;
  for (const { name, value } of headers) bytes += name.length + (value?.length ?? 0);
  return bytes;
};
