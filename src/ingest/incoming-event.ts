import type { RecordHeader } from "../broker/broker.ts";

/** One event as an API family understood it, before its station has judged it. */
export interface IncomingEvent {
  /** The bytes as sent; null is a tombstone, which no schema judges. */
  readonly value: Buffer | null;
  /** What the bytes are; it is stored as the record's `content-type` header. undefined: unknown, stored without. */
  readonly contentType: string | undefined;
  /** A key the API carries itself (v2, v3); undefined: the station's key pointer decides. */
  readonly key?: Buffer | null;
  /** Further record headers, in order. */
  readonly headers: readonly RecordHeader[];
  /** Milliseconds since the epoch; default: arrival. */
  readonly timestamp?: number;
  readonly partition?: number;
}
