/** One event becomes one record: judged by its station's schema, keyed, with its headers. */
import type { BrokerRecord, RecordHeader } from "../broker/broker.ts";
import { asGatewayError, GatewayError } from "../errors.ts";
import { followPointer, stringAt, valueAt } from "../lib/json-members.ts";
import { QUOTE } from "../lib/json-scan.ts";
import { isJson } from "./content/json.ts";
import type { IncomingEvent } from "./incoming-event.ts";
import { contentTypeHeaders } from "./record-headers.ts";
import type { EventValidator } from "./schema/validator.ts";
import type { Station } from "./stations.ts";

/** The record's key, taken from the event by a JSON pointer (RFC 6901). */

/**
 * The key of an event that is known to be valid JSON: a string as it is (in UTF-8), a number by its source digits,
 * null where the pointer leads nowhere or to null. Throws KEY_REFUSED for anything else.
 */
type KeyOf = (event: Buffer) => Buffer | null;

/** Reads along the pointer in the event's bytes, because a number's digits don't survive parsing. */
export const createKeyOf = (pointer: string): KeyOf => {
  const follow = followPointer(pointer);
  return (event) => {
    const at = follow(event);
    return at < 0 ? null : keyAt(event, at);
  };
};

const LETTER_N = 0x6e;
const MINUS = 0x2d;
const DIGIT_0 = 0x30;
const DIGIT_9 = 0x39;

const keyAt = (event: Buffer, at: number): Buffer | null => {
  const first = event[at] ?? 0;
  if (first === QUOTE) return Buffer.from(stringAt(event, at));
  if (first === MINUS || (first >= DIGIT_0 && first <= DIGIT_9)) return valueAt(event, at);
  if (first === LETTER_N) return null;
  throw new GatewayError("KEY_REFUSED");
};

/** The record to store, or why the station refuses the event. */
type ToRecord = (event: IncomingEvent) => BrokerRecord | GatewayError;

/** What one record may hold; one that holds more is refused alone. */
export interface RecordLimits {
  /** Largest value in bytes; beyond it RECORD_TOO_LARGE. */
  readonly maxEventBytes: number;
  /** Beyond it KEY_TOO_LARGE. */
  readonly maxKeyBytes: number;
  /** Headers beside the gateway's own; beyond it RECORD_HEADERS_TOO_MANY. */
  readonly maxHeaders: number;
  /** Names and values of the headers together; beyond it RECORD_HEADERS_TOO_LARGE. */
  readonly maxHeaderBytes: number;
}

interface ToRecordOptions {
  /** Timestamp of events that have none of their own. */
  readonly arrival: number;
  readonly limits: RecordLimits;
}

export const createToRecord = (
  { key, validator }: Station,
  { arrival, limits }: ToRecordOptions,
): ToRecord => {
  const keyOf = key === undefined ? undefined : createStationKeyOf(key, validator);
  const record = (event: IncomingEvent, content: Content, key?: Buffer | null): BrokerRecord | GatewayError =>
    keyExcess(event.key ?? key, limits) ?? recordOf(event, content, { arrival, key });

  return (event) => {
    const { value } = event;
    const excess = headersExcess(event, limits);
    if (excess !== undefined) return excess;
    if (value === null) return record(event, { value, contentType: event.contentType });
    if (value.length > limits.maxEventBytes) return new GatewayError("RECORD_TOO_LARGE");
    const judged =
      validator === undefined ? asItCame(event, value) : validator.validate(value, event.contentType);
    if (judged.status === "refused") return judged.error;
    if (keyOf === undefined || event.key !== undefined) return record(event, judged);
    try {
      return record(event, judged, keyOf(judged.value));
    } catch (error) {
      return asGatewayError(error);
    }
  };
};

interface Content {
  readonly value: Buffer | null;
  readonly contentType: string | undefined;
}

const asItCame = ({ contentType }: IncomingEvent, value: Buffer) =>
  ({ status: "accepted", value, contentType }) as const;

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

const keyExcess = (
  key: Buffer | null | undefined,
  { maxKeyBytes }: RecordLimits,
): GatewayError | undefined =>
  key !== null && key !== undefined && key.length > maxKeyBytes
    ? new GatewayError("KEY_TOO_LARGE", {
        message: `The record's key has ${key.length} bytes; limits.keySize allows ${maxKeyBytes}`,
      })
    : undefined;

const recordOf = (
  event: IncomingEvent,
  { value, contentType }: Content,
  { arrival, key }: { readonly arrival: number; readonly key: Buffer | null | undefined },
): BrokerRecord => {
  const made = {
    key: event.key ?? key ?? null,
    value,
    headers: headersOf(event, contentType),
    timestamp: event.timestamp ?? arrival,
  };
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

/**
 * Reads the key of a stored event. A validator that speaks JSON vouches for the bytes; events of a station without one
 * may be anything, and where an event is no JSON the pointer leads nowhere: it has no key.
 */
const createStationKeyOf = (pointer: string, validator: EventValidator | undefined): KeyOf => {
  const keyOf = createKeyOf(pointer);
  if (validator === undefined) return (value) => (isJson(value) ? keyOf(value) : null);
  return (value) => keyOf(validator.asJson?.(value) ?? value);
};
