/**
 * Request bodies of the REST Proxy API: the content type, the list of records inside an object, and the text for a wrong
 * shape.
 */
import { isUtf8 } from "node:buffer";
import type { z } from "zod";
import { GatewayError } from "../../../errors.ts";
import { mediaTypeOf } from "../../../ingest/content/content-type.ts";
import { type EventList, eventListAt, type EventListLimits } from "../../../ingest/content/event-list.ts";
import { parseJson } from "../../../formats/json.ts";
import { afterSpace, type ListFault } from "../../../lib/json-list.ts";
import { memberOf, OPEN_BRACE, OPEN_BRACKET } from "../../../lib/json-scan.ts";
import type { AuthorisedCall } from "../../call.ts";
import { faultOf } from "../../faults.ts";

interface BodyEnvelope {
  /** The parsed body, in which the list is empty. */
  readonly outside: unknown;
  /** undefined if the body has no such list; `outside` then shows what it has instead. */
  readonly list: EventList | undefined;
}

interface EnvelopeOptions extends EventListLimits {
  /** Name of the member that holds the list. */
  readonly name: string;
  /** Returns the error for an element that is not an object, or for a list with too many elements. */
  readonly refuse: (fault: ListFault) => GatewayError;
}

const EMPTY_LIST = Buffer.from("[]");

/**
 * Finds and counts the elements of a list of objects, and parses the rest of the body. Throws JSON_INVALID, JSON_TOO_DEEP,
 * and the error that `refuse` returns.
 */
export const openEnvelope = (body: Buffer, { name, refuse, ...limits }: EnvelopeOptions): BodyEnvelope => {
  const start = afterSpace(body, 0);
  const at = body[start] === OPEN_BRACE ? memberOf(body, start, name) : -1;
  if (at < 0 || body[at] !== OPEN_BRACKET) return { outside: parseJson(body, limits), list: undefined };
  if (!isUtf8(body)) throw new GatewayError("JSON_INVALID");
  const list = eventListAt(body, { at, levels: 2 }, limits, (found) => {
    if (found.fault === "too deep") return new GatewayError("JSON_TOO_DEEP");
    return found.fault === "broken" ? new GatewayError("JSON_INVALID") : refuse(found);
  });
  const outside = Buffer.concat([body.subarray(0, at), EMPTY_LIST, body.subarray(list.end)]);
  return { outside: parseJson(outside, limits), list };
};

export const JSON_TYPE = "application/json";

/** Throws CONTENT_TYPE_UNSUPPORTED if the content type is not JSON. */
export const requireJson = ({ request }: AuthorisedCall): void => {
  if (mediaTypeOf(request.headers["content-type"] ?? "") !== JSON_TYPE)
    throw new GatewayError("CONTENT_TYPE_UNSUPPORTED");
};

/** The text of the first fault. `at` is the path of the value in the body. */
export const faultIn = ({ issues: [issue] }: z.ZodError, at: readonly PropertyKey[] = []): string => {
  if (issue?.code === "unrecognized_keys")
    return `Unrecognized field: ${[...at, ...issue.path, issue.keys[0] ?? ""].map(String).join(".")}`;
  return issue === undefined ? "The record is not valid" : faultOf(issue, { whole: "The record", at });
};

export const isUnknownField = ({ issues }: z.ZodError): boolean =>
  issues.some(({ code }) => code === "unrecognized_keys");
