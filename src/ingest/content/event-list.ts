/** The events of one call: found and counted in the bytes of the body before an object is built. */
import { isUtf8 } from "node:buffer";
import { GatewayError } from "../../errors.ts";
import { afterSpace, objectsIn, type ListFault } from "../../lib/json-list.ts";
import type { ContentLimits } from "../../formats/json.ts";

export interface EventListLimits extends ContentLimits {
  /** Maximum number of events of one call; above it EVENTS_TOO_MANY. */
  readonly maxEvents: number;
}

export interface EventList {
  readonly count: number;
  /** Sum of the bytes of all elements. */
  readonly bytes: number;
  /** The source bytes of the elements: digits, escapes, duplicate keys and spaces are unchanged. */
  at(index: number): Buffer;
  /** Offset just past the array. */
  readonly end: number;
}

/**
 * Finds the objects of the array at offset `at` and checks the array up to its end. `levels` is the nesting of the array
 * itself. Throws the error that `refuse` makes of a fault; without `refuse`, REQUEST_UNSUPPORTED, JSON_TOO_DEEP or EVENTS_TOO_MANY.
 */
export const eventListAt = (
  body: Buffer,
  { at, levels }: { readonly at: number; readonly levels: number },
  { maxDepth, maxEvents }: EventListLimits,
  refuse = unsupported(maxEvents),
): EventList => {
  const found = objectsIn(body, at, { most: maxEvents, maxDepth: maxDepth - levels });
  if ("fault" in found) throw refuse(found);
  const { bounds, end } = found;
  let bytes = 0;
  for (let i = 0; i < bounds.length; i += 2) bytes += (bounds[i + 1] ?? 0) - (bounds[i] ?? 0);
  return {
    count: bounds.length / 2,
    bytes,
    at: (index) => body.subarray(bounds[2 * index], bounds[2 * index + 1]),
    end,
  };
};

/** The events of a batch, which is an array of objects. Throws REQUEST_UNSUPPORTED, JSON_TOO_DEEP or EVENTS_TOO_MANY. */
export const eventListOf = (body: Buffer, limits: EventListLimits): EventList => {
  if (!isUtf8(body)) throw new GatewayError("REQUEST_UNSUPPORTED");
  const list = eventListAt(body, { at: afterSpace(body, 0), levels: 1 }, limits);
  if (afterSpace(body, list.end) < body.length) throw new GatewayError("REQUEST_UNSUPPORTED");
  return list;
};

export const tooManyEvents = (most: number): GatewayError =>
  new GatewayError("EVENTS_TOO_MANY", {
    message: `The call has more than ${most} events; send them in several calls`,
  });

const unsupported =
  (maxEvents: number) =>
  ({ fault }: ListFault): GatewayError => {
    if (fault === "too many") return tooManyEvents(maxEvents);
    return new GatewayError(fault === "too deep" ? "JSON_TOO_DEEP" : "REQUEST_UNSUPPORTED");
  };
