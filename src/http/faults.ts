/**
 * Error texts for values that a zod schema refuses: they name the field, the allowed values and the given value. A schema can
 * declare a text of its own. zod's texts never reach a client.
 */
import type { z } from "zod";
import { GatewayError } from "../errors.ts";

type RawIssue = z.core.$ZodRawIssue;

const TYPES: Readonly<Partial<Record<string, string>>> = {
  int: "an integer",
  number: "a number",
  string: "a string",
  boolean: "true or false",
  array: "an array",
  object: "an object",
  record: "an object",
};

const boundOf = (origin: string, bound: number | bigint, side: "most" | "least"): string => {
  if (origin === "string") return `must have at ${side} ${bound} characters`;
  if (origin === "array") return `must have at ${side} ${bound} elements`;
  return `must be ${bound} or ${side === "most" ? "less" : "greater"}`;
};

const formatOf = (format: string): string => {
  if (format === "datetime") return "must be a time, such as 2026-01-31T12:00:00Z";
  return format === "base64" ? "must be base64" : "has the wrong format";
};

/** The error text of a schema that declares none. */
const ruleOf = (issue: RawIssue): string => {
  if (issue.code === "invalid_type") return `must be ${TYPES[issue.expected] ?? issue.expected}`;
  if (issue.code === "too_big") return boundOf(issue.origin, issue.maximum, "most");
  if (issue.code === "too_small") return boundOf(issue.origin, issue.minimum, "least");
  if (issue.code === "invalid_format") return formatOf(issue.format);
  if (issue.code === "invalid_value") return `must be one of ${issue.values.map(String).join(", ")}`;
  if (issue.code === "unrecognized_keys") return `has unknown fields: ${issue.keys.slice(0, 10).join(", ")}`;
  return "is not valid";
};

/**
 * Options of `safeParse`, which `faultOf` relies on. zod copies them and sets `async` for each value. Without the member here, the
 * copy gets a new one, for which V8 makes a hidden class each time: 2.7 µs instead of 1.1 for a small record, and copies that stay in
 * memory until the next major collection (docs/performance.md).
 */
export const OUR_WORDS = {
  error: ruleOf,
  reportInput: true,
  async: false,
} as const satisfies z.core.ParseContext<z.core.$ZodIssue> & { readonly async: false };

const MAX_GIVEN = 80;

/** A value in an error text: long strings are cut, and objects and arrays are only named. */
const given = (value: unknown): string => {
  if (value === undefined) return "nothing";
  if (Array.isArray(value)) return "an array";
  if (typeof value === "object" && value !== null) return "an object";
  return JSON.stringify(
    typeof value === "string" && value.length > MAX_GIVEN ? `${value.slice(0, MAX_GIVEN)}…` : value,
  );
};

export interface FaultOptions {
  /** Name of the whole value, for faults that concern no field of it. */
  readonly whole: string;
  /** Path of the value in the body. */
  readonly at?: readonly PropertyKey[];
}

/** `partition_id must be 0 or greater (got -1)`. */
export const faultOf = (issue: z.core.$ZodIssue, { whole, at = [] }: FaultOptions): string => {
  const field = [...at, ...issue.path].map(String).join(".") || whole;
  // For an unknown field, `input` is the object around it, which can be large.
  const got = issue.code === "unrecognized_keys" ? "" : ` (got ${given(issue.input)})`;
  return `${field} ${issue.message}${got}`;
};

/** Maximum number of faults in one answer. */
const MAX_FAULTS = 20;

/** Parses the value of a body or a query. Throws REQUEST_INVALID with one line for each fault. */
export const shaped = <T>(schema: z.ZodType<T>, value: unknown, whole = "body"): T => {
  const { success, data, error } = schema.safeParse(value, OUR_WORDS);
  if (success) return data;
  const faults = error.issues.slice(0, MAX_FAULTS).map((issue) => faultOf(issue, { whole }));
  throw new GatewayError("REQUEST_INVALID", { message: faults.join("\n") });
};
