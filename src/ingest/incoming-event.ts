import type { RecordHeader } from "../broker/broker.ts";
import { GatewayError } from "../errors.ts";

/** One event as an API family understood it, before its station has judged it. */
export interface IncomingEvent {
  /** The bytes as sent; null is a tombstone, which no schema judges. */
  readonly value: Buffer | null;
  /** What the bytes are; it is stored as the record's `content-type` header. undefined: unknown, stored without. */
  readonly contentType: string | undefined;
  /** The record gets `headers` and nothing else: `contentType` is for the station's schema only, and is not stored. */
  readonly exactHeaders?: true;
  /** A key the API carries itself (v2, v3); undefined: the station's key pointer decides. */
  readonly key?: Buffer | null;
  /** Further record headers, in order. */
  readonly headers: readonly RecordHeader[];
  /** Milliseconds since the epoch; default: arrival. */
  readonly timestamp?: number;
  readonly partition?: number;
}

/** Bytes of what a client gives as one event: key, value and headers. What couldn't be read has none. */
export const sizeOfEvent = (event: IncomingEvent | GatewayError): number => {
  if (event instanceof GatewayError) return 0;
  return (event.value?.length ?? 0) + (event.key?.length ?? 0) + sizeOfHeaders(event.headers);
};

export const sizeOfHeaders = (headers: readonly RecordHeader[]): number => {
  let bytes = 0;
  for (const { name, value } of headers) bytes += name.length + (value?.length ?? 0);
  return bytes;
};
