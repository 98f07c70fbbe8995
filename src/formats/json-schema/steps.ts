/**
 * Counts the `$ref` that a validation follows. Without a bound, a small schema whose choices refer to themselves takes time that
 * doubles with each level of an event.
 */
import type { FuncKeywordDefinition } from "ajv";
import { SchemaUnusable } from "../format.ts";

const KEYWORD = "$stationgateStep";
const REFERENCES = ["$ref", "$dynamicRef", "$recursiveRef"];
/** Keywords whose values are data, not schemas. */
const DATA = new Set(["const", "enum", "default", "examples"]);
/** Keywords whose members are schemas with any names. */
const MAPS = new Set([
  "properties",
  "patternProperties",
  "definitions",
  "$defs",
  "dependentSchemas",
  "dependencies",
]);

/** Steps of an event without content, and steps that each byte of an event adds. */
const FREE_STEPS = 50_000;
const STEPS_PER_BYTE = 2;

/** All validations share the count, because they never overlap. */
let stepsLeft = 0;

/** Too many steps. */
export class TooManySteps extends Error {
  override readonly name = "TooManySteps";
}

/** Begins the validation of an event. */
export const allowSteps = (bytes: number): void => {
  stepsLeft = FREE_STEPS + STEPS_PER_BYTE * bytes;
};

/** `before`: the first keyword that follows a reference, because a reference that fails ends the validation of its schema. */
export const stepKeyword = (before: string): FuncKeywordDefinition => ({
  keyword: KEYWORD,
  schemaType: "boolean",
  errors: false,
  before,
  validate: () => {
    if (--stepsLeft < 0) throw new TooManySteps("too many steps");
    return true;
  },
});

/** A copy of the schema that counts. Throws SchemaUnusable for a reference to data, which would not count. */
export const withSteps = (schema: unknown): unknown => {
  if (Array.isArray(schema)) return schema.map(withSteps);
  if (typeof schema !== "object" || schema === null) return schema;
  const copy: Record<string, unknown> = Object.fromEntries(
    Object.entries(schema).map(([name, value]: [string, unknown]) => [name, ofKeyword(name, value)]),
  );
  const targets = REFERENCES.map((name) => copy[name]).filter((target) => typeof target === "string");
  for (const target of targets) {
    if (target.split("/").some((part) => DATA.has(part) || part.includes("%"))) requireSchemaAt(target);
  }
  return targets.length === 0 ? copy : { ...copy, [KEYWORD]: true };
};

const ofKeyword = (name: string, value: unknown): unknown => {
  if (DATA.has(name)) return value;
  if (!MAPS.has(name) || typeof value !== "object" || value === null || Array.isArray(value))
    return withSteps(value);
  return Object.fromEntries(Object.entries(value).map(([own, schema]) => [own, withSteps(schema)]));
};

/** A part called `enum` is a schema only as a member of a map, such as `#/properties/enum`. */
const requireSchemaAt = (target: string): void => {
  const parts = target.split("/").map(decoded);
  parts.forEach((part, index) => {
    if (DATA.has(part) && !MAPS.has(parts[index - 1] ?? "")) {
      throw new SchemaUnusable(`its $ref '${target}' refers to data, not to a schema`);
    }
  });
};

const decoded = (part: string): string => {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
};
