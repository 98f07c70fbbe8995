/** What is wrong with a body, in one sentence. */
import { isUtf8 } from "node:buffer";
import type { z } from "zod";
import { GatewayError } from "../../../errors.ts";
import { mediaTypeOf } from "../../../ingest/content/content-type.ts";
import {
  type EventList,
  eventListAt,
  type EventListLimits,
  tooManyEvents,
} from "../../../ingest/content/event-list.ts";
import { parseJson } from "../../../ingest/content/json.ts";
import { afterSpace, type ListFault } from "../../../lib/json-list.ts";
import { memberOf, OPEN_BRACE, OPEN_BRACKET } from "../../../lib/json-scan.ts";
import type { AuthorisedCall } from "../../call.ts";
import { faultOf } from "../../faults.ts";

/** A body that is an object around a list of objects: the list is found and counted, and the rest is parsed without it. */

interface BodyEnvelope {
  /** The body with an empty list in the list's place. */
  readonly outside: unknown;
  /** undefined: there is no such list, as `outside` shows. */
  readonly list: EventList | undefined;
}

interface EnvelopeOptions extends EventListLimits {
  /** The list's name. */
  readonly name: string;
  /** The error for an element that is no object, or for a list that is too long. */
  readonly refuse: (fault: ListFault) => GatewayError;
}

const EMPTY_LIST = Buffer.from("[]");

/** Throws JSON_INVALID, JSON_TOO_DEEP, and what `refuse` gives. */
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

/** The usual answers, in the code of an API. */
export const refusalOfList =
  (name: string, most: number, invalid: (message: string) => GatewayError) =>
  ({ fault, index }: ListFault): GatewayError =>
    fault === "too many" ? tooManyEvents(most) : invalid(`${name}.${index} must be an object`);

export const JSON_TYPE = "application/json";

/** Throws CONTENT_TYPE_UNSUPPORTED. */
export const requireJson = ({ request }: AuthorisedCall): void => {
  if (mediaTypeOf(request.headers["content-type"] ?? "") !== JSON_TYPE)
    throw new GatewayError("CONTENT_TYPE_UNSUPPORTED");
};

/** The first fault. An unknown field is called by its name. `at`: where the value lies in the body. */
export const faultIn = ({ issues: [issue] }: z.ZodError, at: readonly PropertyKey[] = []): string => {
  if (issue?.code === "unrecognized_keys")
    return `Unrecognized field: ${[...at, ...issue.path, issue.keys[0] ?? ""].map(String).join(".")}`;
  return issue === undefined ? "The record is not valid" : faultOf(issue, { whole: "The record", at });
};

export const isUnknownField = ({ issues }: z.ZodError): boolean =>
  issues.some(({ code }) => code === "unrecognized_keys");
