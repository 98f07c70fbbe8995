/** Compiles JSON Schemas by ajv. Refusals have the texts of the Memphis API. */
import { Ajv, type AnySchemaObject, type ErrorObject, type ValidateFunction } from "ajv";
import { SchemaUnusable } from "../format.ts";
import { complaintOf } from "./complaint.ts";
import { ajvFor, type JsonSchemaDraft } from "./drafts.ts";
import { locate, pointer, quote, tokensOf } from "./locate.ts";
import { allowSteps, TooManySteps, withSteps } from "./steps.ts";

/** A schema that a `$ref` can name. */
interface NamedSchema {
  readonly name: string;
  readonly schema: unknown;
}

/** The refusal of a value, in the words of the Memphis API, for a schema that the text calls `place`. */
type Refusal = (place: string) => string;

/** undefined: the value fits. `bytes`: size of its JSON, which bounds the work for a schema that is not trusted. */
export type JsonSchemaCheck = (value: unknown, bytes: number) => Refusal | undefined;

type Schema = (AnySchemaObject & { $schema?: unknown }) | boolean;

/** Where a schema comes from. */
export interface SchemaOrigin {
  /** The `$schema` of a schema without one. */
  readonly defaultDraft: string;
  /** false: a client may have written the schema, so that the time of a validation must be bounded. */
  readonly isTrusted: boolean;
}

/**
 * Compiles a schema. A `$ref` can refer to a part of the schema, and to the name or the `$id` of a reference. Nothing is
 * fetched. Throws SchemaUnusable.
 */
export const compileJsonSchema = (
  source: unknown,
  { defaultDraft, isTrusted }: SchemaOrigin,
  references: readonly NamedSchema[] = [],
): JsonSchemaCheck => {
  const schema = requireSchema(source);
  const ajv = ajvFor((typeof schema === "object" ? schema.$schema : undefined) ?? defaultDraft, isTrusted);
  const prepared = (source: unknown): Schema => {
    const own = withoutDraft(requireSchema(source));
    return isTrusted ? own : (withSteps(own) as Schema);
  };
  const root = prepared(schema);
  requireValid(ajv, withoutDraft(schema));
  addReferences(ajv, root, references, prepared);
  const validate = compile(ajv, root);
  return (value, bytes) => {
    allowSteps(bytes);
    try {
      if (validate(value)) return undefined;
    } catch (error) {
      const reason = failureOf(error);
      return (place) => `jsonschema: '' does not validate with ${place}#: ${reason}`;
    }
    const error = decisive(validate.errors ?? []);
    return (place) => (error === undefined ? "jsonschema: not valid" : refusalText(error, root, place));
  };
};

/** A `$ref` to itself, the nesting of the schema and of the value together, or choices that multiply. */
const failureOf = (error: unknown): string => {
  if (error instanceof TooManySteps) return "takes too many steps";
  if (error instanceof RangeError) return "nested too deep";
  throw error;
};

const requireSchema = (source: unknown): Schema => {
  if (typeof source === "boolean") return source;
  if (typeof source === "object" && source !== null && !Array.isArray(source)) return source;
  throw new SchemaUnusable("a JSON Schema is an object, true or false");
};

/** ajv has one draft for the schema and all references. It knows the drafts only by their exact addresses. */
const withoutDraft = (schema: Schema): Schema => {
  if (typeof schema === "boolean") return schema;
  const copy = { ...schema };
  delete copy.$schema;
  return copy;
};

/** A name is relative to the `$id` of the schema that uses it, as every `$ref` is. */
const addReferences = (
  ajv: JsonSchemaDraft,
  root: Schema,
  references: readonly NamedSchema[],
  prepared: (source: unknown) => Schema,
): void => {
  for (const { name, schema } of references) {
    requireValid(ajv, withoutDraft(requireSchema(schema)), `the reference ${name}: `);
  }
  const named = references.map(({ name, schema }) => ({ name, schema: prepared(schema) }));
  const bases = new Set(["", idOf(ajv, root), ...named.map(({ name, schema }) => idOf(ajv, schema) || name)]);
  for (const { name, schema } of named) {
    const addresses = [...bases].map((base) => ajv.opts.uriResolver.resolve(base, name));
    for (const address of new Set([name, ...addresses])) {
      if (ajv.schemas[address] === undefined && ajv.refs[address] === undefined)
        ajv.addSchema(schema, address);
    }
  }
};

const idOf = (ajv: JsonSchemaDraft, schema: Schema): string => {
  const id: unknown = typeof schema === "object" ? schema[ajv.opts.schemaId] : undefined;
  return typeof id === "string" ? id : "";
};

const requireValid = (ajv: JsonSchemaDraft, schema: Schema, what = ""): void => {
  if (isValid(ajv, schema)) return;
  const [error] = ajv.errors ?? [];
  const reason = error === undefined ? "not valid" : complaintOf(error).reason;
  throw new SchemaUnusable(`${what}${quote(error?.instancePath ?? "")}: ${reason}`);
};

const isValid = (ajv: JsonSchemaDraft, schema: Schema): boolean => {
  try {
    return ajv.validateSchema(schema) === true;
  } catch (error) {
    throw unusable(error);
  }
};

const compile = (ajv: JsonSchemaDraft, schema: Schema): ValidateFunction => {
  try {
    const validate = ajv.compile(schema);
    // A schema with `$async` validates by a promise, which counts as true.
    if (!("$async" in validate)) return validate;
  } catch (error) {
    throw unusable(error);
  }
  throw new SchemaUnusable("it has the keyword $async");
};

const unusable = (error: unknown): SchemaUnusable => {
  if (error instanceof SchemaUnusable) return error;
  if (error instanceof RangeError) return new SchemaUnusable("it is too large, or nested too deep");
  if (error instanceof Ajv.MissingRefError) {
    return new SchemaUnusable(
      `its $ref ${quote(error.missingRef)} is neither a part of it nor the name or $id of a reference`,
    );
  }
  return new SchemaUnusable((error as Error).message);
};

const refusalText = (error: ErrorObject, schema: unknown, place: string): string => {
  const instance = tokensOf(error.instancePath);
  const { keyword, part = error.propertyName, reason } = complaintOf(error);
  const path = locate(schema, error.parentSchema, instance);
  const location =
    path === undefined ? error.schemaPath.replace(/^[^#]*#/, "") : pointer([...path, ...keyword]);
  const blamed = quote(pointer(part === undefined ? instance : [...instance, part]));
  return `jsonschema: ${blamed} does not validate with ${place}#${location}: ${reason}`;
};

/**
 * The error that the Memphis API reports: the first one, which is the innermost. The exception is a `oneOf` with several
 * matching branches: then the errors of the other branches are not the reason.
 */
const decisive = (errors: readonly ErrorObject[]): ErrorObject | undefined =>
  errors.find(({ keyword, params }) => keyword === "oneOf" && params["passingSchemas"] !== null) ?? errors[0];
