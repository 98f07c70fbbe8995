/** zod schemas out of modules that the operator writes. */
import { createRequire, register } from "node:module";
import path from "node:path";
import { pathToFileURL } from "node:url";
import type { ZodSafeParseResult } from "zod";
import { GatewayError } from "../../errors.ts";
import {
  eventJson,
  type EventValidator,
  schemaRefused,
  schemaUnusable,
  type ValidatorContext,
  type ZodDeclaration,
} from "./validator.ts";

/** Asynchronous checks in a zod schema, found before the first event meets them. */

/** Which functions were written with `async`. A plain function that returns a promise looks like any other. */
const isAsync = (value: unknown): value is (...given: never) => unknown =>
  Object.prototype.toString.call(value) === "[object AsyncFunction]";

/**
 * The name, or the source where it has none, of an async function in the definition of a zod schema, at whatever depth;
 * undefined if the schema has no such check. Lazy parts of the schema are not resolved.
 */
const findAsync = (schema: object): string | undefined => {
  const open: unknown[] = [schema];
  const seen = new Set<unknown>();
  while (open.length > 0) {
    const part = open.pop();
    if (isAsync(part)) return part.name || String(part);
    if (typeof part !== "object" || part === null || seen.has(part)) continue;
    seen.add(part);
    open.push(...partsOf(part));
  }
  return undefined;
};

/** Of a schema or check its definition, without the methods and caches around it; of anything else all that it holds. */
const partsOf = (value: object): unknown[] => {
  if ("_zod" in value) return [(value._zod as { readonly def: unknown }).def];
  return value instanceof Map ? [...value.values()] : Object.values(value);
};

interface ZodSchema {
  safeParse(value: unknown): ZodSafeParseResult<unknown>;
}

/**
 * Imports a module and takes one of its exports for a zod schema. What is stored are the event's own bytes, never what
 * the schema makes of them. Rejects with SETTINGS_INVALID, also for checks that are asynchronous: an event is judged
 * at once.
 */
export const loadZod = async (
  declaration: ZodDeclaration,
  context: ValidatorContext,
): Promise<EventValidator> => {
  try {
    return createValidator(await importSchema(declaration), context);
  } catch (error) {
    throw schemaUnusable(context, declaration.module, error);
  }
};

const importSchema = async ({ module, export: name }: ZodDeclaration): Promise<ZodSchema> => {
  const file = path.resolve(module);
  if (zodSeenFrom(file) !== zodSeenFrom(import.meta.url)) resolveZodFromHere();
  const exports = (await import(pathToFileURL(file).href)) as Record<string, unknown>;
  const schema = exports[name];
  if (!isZodSchema(schema)) {
    throw new GatewayError("SETTINGS_INVALID", {
      message: `its export ${name} is no zod schema; it has ${Object.keys(exports).join(", ") || "none"}`,
    });
  }
  const asynchronous = findAsync(schema);
  if (asynchronous === undefined) return schema;
  throw new GatewayError("SETTINGS_INVALID", { message: `${asynchronous} is asynchronous` });
};

const isZodSchema = (value: unknown): value is ZodSchema =>
  typeof value === "object" && value !== null && "safeParse" in value && "_zod" in value;

const createValidator = (schema: ZodSchema, { limits }: ValidatorContext): EventValidator => ({
  kind: "zod",
  validate: (value, contentType) => {
    const event = eventJson(value, limits);
    if (event.status === "refused") return event;
    try {
      const { success, error } = schema.safeParse(event.json);
      return success
        ? { status: "accepted", value, contentType }
        : schemaRefused(`zod: ${told(error.issues)}`);
    } catch (error) {
      // The operator's code threw: what can't be judged isn't stored. The log has the cause.
      return schemaRefused("zod: the schema failed on this event", error);
    }
  },
});

interface Issue {
  readonly path: readonly PropertyKey[];
  readonly message: string;
}

const told = (issues: readonly Issue[]): string =>
  issues
    .map(({ path: at, message }) => (at.length === 0 ? message : `${at.map(String).join(".")}: ${message}`))
    .join("; ");

/** The `zod` that an import in this file would find by itself. */
const zodSeenFrom = (file: string): string | undefined => {
  try {
    return createRequire(file).resolve("zod");
  } catch {
    return undefined;
  }
};

/** Looks `zod` up where this program's own is, whoever imports it. */
const RESOLVER = `
  let home;
  export const initialize = (data) => { home = data; };
  export const resolve = (specifier, context, next) =>
    next(specifier, specifier.split("/")[0] === "zod" ? { ...context, parentURL: home } : context);
`;

let resolves = false;

/** For modules far from our node_modules. Node runs such hooks in a thread of their own, so only where one is needed. */
const resolveZodFromHere = (): void => {
  if (resolves) return;
  register(`data:text/javascript,${encodeURIComponent(RESOLVER)}`, { data: import.meta.url });
  resolves = true;
};
