/** What is wrong with a body, in one sentence. */
import type { z } from "zod";
import { GatewayError } from "../../../errors.ts";
import { mediaTypeOf } from "../../../ingest/content/content-type.ts";
import type { AuthorisedCall } from "../../call.ts";

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
