/** An event as an API parsed it, and the record that it becomes: validated by its station, with a key and headers. */
import type { BrokerRecord, RecordHeader } from "../broker/broker.ts";
import { asGatewayError, GatewayError } from "../errors.ts";
import { followPointer, isNumberStart, QUOTE, stringAt, valueAt } from "../lib/json-scan.ts";
import { isJson } from "../formats/json.ts";
import { contentTypeHeaders } from "./record-headers.ts";
import { createReadEventId } from "./station-event-id.ts";
import type { CallSchemas, SchemaParts } from "./schema/record-schemas.ts";
import type { Accepted, EventValidator, Refused } from "./schema/validator.ts";
import type { Station } from "./stations.ts";

/** Not validated yet. */
export interface IncomingEvent extends SchemaParts {
  /** The bytes as sent. null: a tombstone, which is not validated. */
  readonly value: Buffer | null;
  /** The API has checked that the value is JSON. undefined: it may be JSON. */
  readonly isJson?: true;
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

/**
 * The record key of an event that is valid JSON: a string in UTF-8, or a number by its source digits; null if the value is
 * absent or null. Throws KEY_REFUSED for any other value.
 */
type KeyOf = (event: Buffer) => Buffer | null;

/** Follows a JSON pointer (RFC 6901) in the event's bytes, because parsing would change the digits of a number. */
export const createKeyOf = (pointer: string): KeyOf => {
  const follow = followPointer(pointer);
  return (event) => {
    const at = follow(event);
    return at < 0 ? null : keyAt(event, at);
  };
};

const LETTER_N = 0x6e;

const keyAt = (event: Buffer, at: number): Buffer | null => {
  const first = event[at] ?? 0;
  if (first === QUOTE) return Buffer.from(stringAt(event, at));
  if (isNumberStart(first)) return valueAt(event, at);
  if (first === LETTER_N) return null;
  throw new GatewayError("KEY_REFUSED");
};

/** A record of a station with `once` has the event's id, which is not stored. */
export interface IdentifiedRecord extends BrokerRecord {
  readonly eventId?: string;
}

/** The record to store, or the reason why the station refuses the event. */
export type ToRecord = (event: IncomingEvent) => IdentifiedRecord | GatewayError;

/** Limits of one record. An event above a limit is refused, and the other events of the call are stored. */
export interface RecordLimits {
  /** Maximum bytes of the value; above it RECORD_TOO_LARGE. */
  readonly maxEventBytes: number;
  /** Maximum bytes of the key; above it KEY_TOO_LARGE. */
  readonly maxKeyBytes: number;
  /** Maximum number of headers, without the gateway's own; above it RECORD_HEADERS_TOO_MANY. */
  readonly maxHeaders: number;
  /** Maximum bytes of all header names and values; above it RECORD_HEADERS_TOO_LARGE. */
  readonly maxHeaderBytes: number;
}

/** The function for the events of one call. */
type RecordsOfCall = (call: {
  /** Timestamp of an event without a timestamp of its own. */
  readonly arrival: number;
  /** undefined: no event of the call needs the registry. */
  readonly schemas?: CallSchemas | undefined;
}) => ToRecord;

/** What depends on the station alone is made once, and serves all its calls. */
export const createRecordsOfCall = (
  { key, validator, once }: Station,
  limits: RecordLimits,
): RecordsOfCall => {
  const keyOf = key === undefined ? noKey : createStationKeyOf(key, validator);
  const idOf = createIdOf({ validator, once });
  const judge = createJudge(validator);
  const record = (
    event: IncomingEvent,
    content: Content,
    { arrival, key }: Pick<RecordParts, "arrival" | "key">,
  ): IdentifiedRecord | GatewayError => {
    const excess = keyExcess(key, limits);
    if (excess !== undefined) return excess;
    return recordOf(event, content, { arrival, key, eventId: idOf?.(event, content) });
  };

  return ({ arrival, schemas }) => {
    const judgeInCall = schemas === undefined ? judge : judgeWithSchemas(judge, schemas, limits);
    return (event) => {
      const { value } = event;
      const excess = headersExcess(event, limits);
      if (excess !== undefined) return excess;
      try {
        const sentKey = schemas === undefined ? event.key : schemas.keyOf(event);
        if (value === null) {
          const content = { value, contentType: event.contentType };
          return schemas?.tombstoneFault(event) ?? record(event, content, { arrival, key: sentKey ?? null });
        }
        const accepted = acceptedBy(judgeInCall, event, value, limits);
        if (accepted instanceof GatewayError) return accepted;
        const key = sentKey === undefined ? keyOf(event, accepted.json ?? accepted.value) : sentKey;
        return record(event, accepted, { arrival, key });
      } catch (error) {
        return asGatewayError(error);
      }
    };
  };
};

/** The event as the station takes it, or the reason why it doesn't. */
const acceptedBy = (
  judge: Judge,
  event: IncomingEvent,
  value: Buffer,
  { maxEventBytes }: RecordLimits,
): Accepted | GatewayError => {
  if (value.length > maxEventBytes) return new GatewayError("RECORD_TOO_LARGE");
  const judged = judge(event, value);
  if (judged.status === "refused") return judged.error;
  return judged.value.length > maxEventBytes + MAX_FRAME ? new GatewayError("RECORD_TOO_LARGE") : judged;
};

/** Bytes that a schema of the registry puts before its payload. */
const MAX_FRAME = 64;

/** An event may become this many times as large without counting as grown: a number of two characters takes 8 bytes. */
const FREE_GROWTH = 16;

/**
 * Bounds the memory that a call of small events takes: the defaults of an Avro schema can make each of them large. Refuses the
 * events after those that have grown by `maxEventBytes` together.
 */
const createGrowthGuard = (judge: Judge, { maxEventBytes }: RecordLimits): Judge => {
  let grown = 0;
  return (event, value) => {
    if (grown > maxEventBytes) return { status: "refused", error: grownTooLarge() };
    const judged = judge(event, value);
    if (judged.status === "accepted")
      grown += Math.max(0, judged.value.length - MAX_FRAME - FREE_GROWTH * value.length);
    return judged;
  };
};

const grownTooLarge = (): GatewayError =>
  new GatewayError("RECORD_TOO_LARGE", {
    message:
      "The defaults of the schema make the records of this call too large; send fewer records in one call",
  });

type Judge = (event: IncomingEvent, value: Buffer) => Accepted | Refused;

const createJudge = (validator: EventValidator | undefined): Judge => {
  if (validator === undefined) return unchanged;
  if (validator.kind === "registry") return registryMissing;
  return ({ contentType }, value) => validator.validate(value, contentType);
};

const judgeWithSchemas = (judge: Judge, schemas: CallSchemas, limits: RecordLimits): Judge =>
  createGrowthGuard((event, value) => schemas.judge(event, value) ?? judge(event, value), limits);

/** A start with such a station and without a registry is refused. */
const registryMissing: Judge = () => ({ status: "refused", error: new GatewayError("REGISTRY_UNAVAILABLE") });

interface Content extends Pick<Accepted, "json" | "contentType"> {
  readonly value: Buffer | null;
}

type IdOf = (event: IncomingEvent, content: Content) => string;

const createIdOf = ({ validator, once }: Pick<Station, "validator" | "once">): IdOf | undefined => {
  if (once === undefined) return undefined;
  const read = createReadEventId(once.id);
  // Only an id in the event needs the event as JSON, and a conversion to JSON takes time.
  return once.id.startsWith("/")
    ? (event, content) => read(event, jsonOf(event, content, validator))
    : (event) => read(event, null);
};

/** The event as JSON; null: it has none. */
const jsonOf = (
  event: IncomingEvent,
  { value, json }: Content,
  validator: EventValidator | undefined,
): Buffer | null => {
  const given = json ?? value;
  if (given === null) return null;
  if (validator === undefined) return event.isJson === true || isJson(given) ? given : null;
  return validator.asJson?.(given) ?? given;
};

const unchanged: Judge = ({ contentType }, value) => ({ status: "accepted", value, contentType });

const headersExcess = ({ headers }: IncomingEvent, limits: RecordLimits): GatewayError | undefined => {
  if (headers.length === 0) return undefined;
  if (headers.length > limits.maxHeaders) {
    return new GatewayError("RECORD_HEADERS_TOO_MANY", {
      message: `The record has ${headers.length} headers; limits.recordHeaders allows ${limits.maxHeaders}`,
    });
  }
  const bytes = headers.reduce(
    (sum, { name, value }) => sum + Buffer.byteLength(name) + (value?.length ?? 0),
    0,
  );
  if (bytes <= limits.maxHeaderBytes) return undefined;
  return new GatewayError("RECORD_HEADERS_TOO_LARGE", {
    message: `The record's headers have ${bytes} bytes; limits.recordHeaderSize allows ${limits.maxHeaderBytes}`,
  });
};

const keyExcess = (key: Buffer | null, { maxKeyBytes }: RecordLimits): GatewayError | undefined =>
  key !== null && key.length > maxKeyBytes
    ? new GatewayError("KEY_TOO_LARGE", {
        message: `The record's key has ${key.length} bytes; limits.keySize allows ${maxKeyBytes}`,
      })
    : undefined;

/** `arrival`: as in `RecordsOfCall`. */
interface RecordParts {
  readonly arrival: number;
  readonly key: Buffer | null;
  readonly eventId: string | undefined;
}

const recordOf = (
  event: IncomingEvent,
  { value, contentType }: Content,
  { arrival, key, eventId }: RecordParts,
): IdentifiedRecord => {
  const headers = headersOf(event, contentType);
  const timestamp = event.timestamp ?? arrival;
  const made =
    eventId === undefined ? { key, value, headers, timestamp } : { key, value, headers, timestamp, eventId };
  return event.partition === undefined ? made : { ...made, partition: event.partition };
};

const headersOf = (
  { headers, exactHeaders }: IncomingEvent,
  contentType: string | undefined,
): readonly RecordHeader[] => {
  if (contentType === undefined || exactHeaders === true) return headers;
  const own = contentTypeHeaders(contentType);
  return headers.length === 0 ? own : [...own, ...headers];
};

type StationKeyOf = (event: IncomingEvent, value: Buffer) => Buffer | null;

const noKey: StationKeyOf = () => null;

/**
 * Reads the key of a valid event. With a schema the event is JSON, or `asJson` converts it. Without a schema an event that
 * isn't JSON has no key.
 */
const createStationKeyOf = (pointer: string, validator: EventValidator | undefined): StationKeyOf => {
  const keyOf = createKeyOf(pointer);
  if (validator === undefined)
    return (event, value) => (event.isJson === true || isJson(value) ? keyOf(value) : null);
  return (_, value) => keyOf(validator.asJson?.(value) ?? value);
};
