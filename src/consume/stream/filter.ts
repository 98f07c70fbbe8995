/** Filters of an event stream: conditions on JSON values, and the source of webhook events. */
import { isDeepStrictEqual } from "node:util";
import type { ConsumedRecord } from "../../broker/broker.ts";
import { GatewayError } from "../../errors.ts";
import { excessOf, followPointer, valueAt } from "../../lib/json-scan.ts";
import { filteredValue, type StreamDecoding } from "./decoding.ts";
import { isJsonText } from "./event-block.ts";

export type EventFilter = (record: ConsumedRecord) => boolean;

type JsonFilter = (json: Buffer) => boolean;

const MAX_FILTERS = 8;
const POINTER = /^(\/([^~/]|~[01])*)*$/;
const NUMBER = /^-?\d/;
/** Larger values of an event equal no filter: parsing them would take too long. */
const MAX_COMPARED = { depth: 100, values: 10_000, members: 10_000 };

const invalid = (message: string): GatewayError => new GatewayError("REQUEST_INVALID", { message });

/**
 * Compiles filters such as `/type==created`. All of them must hold for the value, which is decoded first if there is a
 * decoding. undefined: there is no filter. Throws REQUEST_INVALID.
 */
export const parseFilters = (
  texts: readonly string[],
  decoding?: StreamDecoding,
): EventFilter | undefined => {
  if (texts.length === 0) return undefined;
  if (texts.length > MAX_FILTERS)
    throw invalid(`filter: at most ${MAX_FILTERS} filters are allowed (got ${texts.length})`);
  const filters = texts.map(parseFilter);
  return (record) => {
    const value = filteredValue(record, decoding);
    return value !== null && isJsonValue(value) && filters.every((holds) => holds(value));
  };
};

/** Results of the check by value: all streams with filters ask about the same values. */
const known = new WeakMap<Buffer, boolean>();

const isJsonValue = (value: Buffer): boolean => {
  const before = known.get(value);
  if (before !== undefined) return before;
  const isJson = isJsonText(value);
  known.set(value, isJson);
  return isJson;
};

const parseFilter = (text: string): JsonFilter => {
  const at = text.indexOf("==");
  const pointer = text.slice(0, at);
  if (at < 0 || !POINTER.test(pointer))
    throw invalid(
      `filter must be a JSON pointer, "==" and a value, such as /type==created (got ${JSON.stringify(text.slice(0, 80))})`,
    );
  const follow = followPointer(pointer);
  const isWanted = equals(text.slice(at + 2));
  return (json) => {
    const found = follow(json);
    return found >= 0 && isWanted(valueAt(json, found));
  };
};

/** Compares a JSON value with the wanted one, which is JSON, or else a text. */
const equals = (wanted: string): JsonFilter => {
  const bytes = Buffer.from(wanted);
  const json = isJsonText(bytes) ? wanted.trim() : JSON.stringify(wanted);
  const value = JSON.parse(json) as unknown;
  const isNumber = NUMBER.test(json);
  return (found) => {
    // JSON.parse rounds numbers with many digits.
    if (isNumber && !Number.isSafeInteger(value)) return found.toString() === json;
    if (excessOf(found, MAX_COMPARED) !== undefined) return false;
    return isDeepStrictEqual(JSON.parse(found.toString()), value);
  };
};

const SOURCE_HEADER = "x-webhook-source";

/** Only events of this webhook source. */
export const ofSource = (source: string): EventFilter => {
  const name = Buffer.from(source);
  return ({ headers }) =>
    headers.some((header) => header.name === SOURCE_HEADER && header.value?.equals(name));
};
