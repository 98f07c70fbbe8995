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
import { memberOf } from "../../../lib/json-members.ts";
import { OPEN_BRACE, OPEN_BRACKET } from "../../../lib/json-scan.ts";
import type { AuthorisedCall } from "../../call.ts";

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

type Issue = z.core.$ZodIssue;

/**
 * The first fault, in words of our own: a field that isn't known by its name, anything else by its place. `at`: where the value
 * lies.
 */
export const faultOf = ({ issues: [issue] }: z.ZodError, at: readonly PropertyKey[] = []): string => {
  if (issue === undefined) return "malformed";
  const place = [...at, ...issue.path].map(String).join(".");
  if (issue.code === "unrecognized_keys")
    return `Unrecognized field: ${[place, issue.keys[0]].filter(Boolean).join(".")}`;
  return `${place === "" ? "The record" : place} ${wordsFor(issue)}`;
};

const TYPES: Readonly<Partial<Record<string, string>>> = {
  int: "an integer",
  number: "a number",
  string: "a string",
  array: "an array",
  object: "an object",
};

const wordsFor = (issue: Issue): string => {
  if (issue.code === "invalid_type") return `must be ${TYPES[issue.expected] ?? issue.expected}`;
  if (issue.code === "too_big") return `must be ${issue.maximum} or less`;
  if (issue.code === "invalid_format") return "must be a time, such as 2026-01-31T12:00:00Z";
  return issue.code === "custom" ? issue.message : "is not valid";
};

export const isUnknownField = ({ issues }: z.ZodError): boolean =>
  issues.some(({ code }) => code === "unrecognized_keys");
