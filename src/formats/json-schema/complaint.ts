/**
 * Converts an error of ajv to the text that the Go library github.com/santhosh-tekuri/jsonschema v5 writes for it. Memphis
 * clients know these texts.
 */
import type { ErrorObject } from "ajv";
import { linearPattern } from "./patterns.ts";
import { constant, float, quote, typeOf } from "./locate.ts";

export interface Complaint {
  /** Path of the keyword below its schema, as tokens; empty for the schema `false`. */
  readonly keyword: readonly string[];
  /** The member or item at fault, if ajv names only the object or array and the Go library names the part. */
  readonly part?: string;
  readonly reason: string;
}

type Wording = (error: Blame) => string | Complaint;

/** The members of an `ErrorObject` that the wordings use. ajv fills them in its mode `verbose`. */
interface Blame {
  readonly schema: unknown;
  readonly parentSchema: Readonly<Record<string, unknown>>;
  readonly data: unknown;
  readonly params: Readonly<Record<string, unknown>>;
}

/** A keyword without a wording gets the text `<keyword> failed`. */
export const complaintOf = (error: ErrorObject): Complaint => {
  const blame: Blame = {
    schema: error.schema,
    parentSchema: error.parentSchema ?? {},
    data: error.data,
    params: error.params,
  };
  const complaint = WORDINGS.get(error.keyword)?.(blame) ?? `${error.keyword} failed`;
  return typeof complaint === "string" ? { keyword: [error.keyword], reason: complaint } : complaint;
};

const compared =
  (sign: string) =>
  ({ schema, data }: Blame): string =>
    `must be ${sign} ${float(schema)} but found ${float(data)}`;

/** In draft 4, the boolean `exclusive` beside a bound excludes the bound itself. */
const bounded =
  (exclusive: string, strict: string, inclusive: string): Wording =>
  (blame) =>
    blame.parentSchema[exclusive] === true
      ? { keyword: [exclusive], reason: compared(strict)(blame) }
      : compared(inclusive)(blame);

const sized =
  (sign: string): Wording =>
  ({ schema, data }) =>
    `length must be ${sign} ${String(schema)}, but got ${Array.from(String(data)).length}`;

const counted =
  (bound: string, things: string, verb: string): Wording =>
  ({ schema, data }) =>
    `${bound} ${String(schema)} ${things} ${verb}, but found ${Object.keys(data as object).length} ${things}`;

const missing: Wording = ({ schema, data }) =>
  `missing properties: ${(schema as string[])
    .filter((name) => !Object.hasOwn(data as object, name))
    .map(quote)
    .join(", ")}`;

const surplus: Wording = ({ parentSchema: { properties = {}, patternProperties = {} }, data }) => {
  const patterns = Object.keys(patternProperties as object).map(patternOf);
  const names = Object.keys(data as object).filter(
    (name) => !Object.hasOwn(properties as object, name) && !patterns.some((pattern) => pattern.test(name)),
  );
  return `additionalProperties ${names.map(quote).join(", ")} not allowed`;
};

/** The pattern of a file may be one that does not run in linear time. */
const patternOf = (source: string): { test(text: string): boolean } => {
  try {
    return linearPattern(source);
  } catch {
    return new RegExp(source, "u");
  }
};

/** The reason for `const` and `enum`. It shows the constants, unless one of them is an object or an array. */
const oneOfConstants = (keyword: string, values: readonly unknown[]): string => {
  if (values.some((value) => typeof value === "object" && value !== null)) return `${keyword} failed`;
  const choice = values.length === 1 ? "must be" : "must be one of";
  return `value ${choice} ${values.map(constant).join(", ")}`;
};

const dependent =
  (keyword: string): Wording =>
  ({ schema, params }) => {
    const [property, needed] = [String(params["property"]), String(params["missingProperty"])];
    const index = (schema as Record<string, string[]>)[property]?.indexOf(needed) ?? 0;
    return {
      keyword: [keyword, property, String(index)],
      reason: `property ${quote(needed)} is required, if ${quote(property)} property exists`,
    };
  };

/** ajv reports how many matches `contains` needs, but not how many there are. */
const contained: Wording = ({ params }) => {
  const least = Number(params["minContains"]);
  const most = params["maxContains"];
  if (most !== undefined) return { keyword: ["maxContains"], reason: `valid must be <= ${Number(most)}` };
  return { keyword: ["minContains"], reason: `valid must be >= ${least}${least === 1 ? ", but got 0" : ""}` };
};

const itemNotAllowed =
  (keyword: string): Wording =>
  ({ params }) => ({ keyword: [keyword], part: String(params["limit"]), reason: "not allowed" });

const WORDINGS: ReadonlyMap<string, Wording> = new Map<string, Wording>([
  ["type", ({ schema, data }) => `expected ${[schema].flat().join(" or ")}, but got ${typeOf(data)}`],
  ["const", ({ schema }) => oneOfConstants("const", [schema])],
  ["enum", ({ schema }) => oneOfConstants("enum", schema as unknown[])],
  ["format", ({ schema, data }) => `${quote(String(data))} is not valid ${quote(String(schema))}`],
  ["minimum", bounded("exclusiveMinimum", ">", ">=")],
  ["maximum", bounded("exclusiveMaximum", "<", "<=")],
  ["exclusiveMinimum", compared(">")],
  ["exclusiveMaximum", compared("<")],
  ["multipleOf", ({ schema, data }) => `${float(data)} not multipleOf ${float(schema)}`],
  ["minLength", sized(">=")],
  ["maxLength", sized("<=")],
  ["pattern", ({ schema }) => `does not match pattern ${quote(String(schema))}`],
  ["minProperties", counted("minimum", "properties", "allowed")],
  ["maxProperties", counted("maximum", "properties", "allowed")],
  ["required", missing],
  ["additionalProperties", surplus],
  ["dependencies", dependent("dependencies")],
  ["dependentRequired", dependent("dependentRequired")],
  [
    "unevaluatedProperties",
    ({ params }) => ({
      keyword: ["unevaluatedProperties"],
      part: String(params["unevaluatedProperty"]),
      reason: "not allowed",
    }),
  ],
  ["minItems", counted("minimum", "items", "required")],
  ["maxItems", counted("maximum", "items", "required")],
  [
    "uniqueItems",
    ({ params }) => `items at index ${String(params["j"])} and ${String(params["i"])} are equal`,
  ],
  [
    "additionalItems",
    ({ params, data }) =>
      `only ${String(params["limit"])} items are allowed, but found ${(data as unknown[]).length} items`,
  ],
  ["items", itemNotAllowed("items")],
  ["unevaluatedItems", itemNotAllowed("unevaluatedItems")],
  ["contains", contained],
  [
    "oneOf",
    ({ params }) => `valid against schemas at indexes ${[params["passingSchemas"]].flat().join(" and ")}`,
  ],
  ["false schema", () => ({ keyword: [], reason: "not allowed" })],
]);
