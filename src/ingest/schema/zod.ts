/** zod schemas from ES modules that the operator writes. */
import { readFile } from "node:fs/promises";
import { createRequire, register } from "node:module";
import path from "node:path";
import { pathToFileURL } from "node:url";
import type { ZodSafeParseResult } from "zod";
import { GatewayError } from "../../errors.ts";
import { digestOf } from "../../lib/file-watch/file-watch.ts";
import {
  eventJson,
  type FileValidator,
  schemaRefused,
  schemaUnusable,
  type ValidatorContext,
  type ZodDeclaration,
} from "./validator.ts";

interface ZodSchema {
  safeParse(value: unknown): ZodSafeParseResult<unknown>;
}

/**
 * Imports a module and uses one of its exports as the schema. Records have the event's own bytes, never the output of the
 * schema. Rejects with SETTINGS_INVALID, also for a schema with asynchronous checks, because `validate` is synchronous.
 */
export const loadZod = async (
  declaration: ZodDeclaration,
  context: ValidatorContext,
): Promise<FileValidator> => {
  try {
    return createValidator(await importSchema(declaration), context);
  } catch (error) {
    throw schemaUnusable(context, declaration.module, error);
  }
};

const importSchema = async ({ module, export: name }: ZodDeclaration): Promise<ZodSchema> => {
  const file = path.resolve(module);
  if (zodSeenFrom(file) !== zodSeenFrom(import.meta.url)) resolveZodFromHere();
  const exports = await importModule(file);
  const schema = exports[name];
  if (!isZodSchema(schema)) {
    throw new GatewayError("SETTINGS_INVALID", {
      message: `its export ${name} is not a zod schema; its exports are ${Object.keys(exports).join(", ") || "none"}`,
    });
  }
  const asynchronous = findAsync(schema);
  if (asynchronous === undefined) return schema;
  throw new GatewayError("SETTINGS_INVALID", {
    message: `its check ${asynchronous} is asynchronous; checks must be synchronous`,
  });
};

/** Milliseconds are enough for an import, so a file that changes in each of them is still being written. */
const MAX_IMPORTS = 3;

/** The number of imports of a URL that failed, or whose file changed meanwhile: node keeps the error, or another text. */
const spoiled = new Map<string, number>();

/**
 * Imports the present text of a module. node imports a module again only if its URL has changed, so the URL has a digest of the
 * text. Rejects with the error of the import, or if the file does not stay the same during an import.
 */
export const importModule = async (
  file: string,
  load: (url: string) => Promise<unknown> = (url) => import(url),
): Promise<Record<string, unknown>> => {
  for (let imports = 0; imports < MAX_IMPORTS; imports += 1) {
    const url = await urlOf(file);
    const count = spoiled.get(url) ?? 0;
    const [outcome] = await Promise.allSettled([load(count === 0 ? url : `${url}&${count}`)]);
    const hasChanged = (await urlOf(file)) !== url;
    // Also an import of another file can have failed, which may exist the next time.
    if (hasChanged || outcome.status === "rejected") spoiled.set(url, count + 1);
    if (hasChanged) continue;
    if (outcome.status === "fulfilled") return outcome.value as Record<string, unknown>;
    throw outcome.reason;
  }
  throw new GatewayError("SETTINGS_INVALID", { message: "it changed while it was read" });
};

const urlOf = async (file: string): Promise<string> =>
  `${pathToFileURL(file).href}?${digestOf(await readFile(file))}`;

const isZodSchema = (value: unknown): value is ZodSchema =>
  typeof value === "object" && value !== null && "safeParse" in value && "_zod" in value;

const createValidator = (schema: ZodSchema, { limits }: ValidatorContext): FileValidator => ({
  kind: "zod",
  validate: (value, contentType) => {
    const event = eventJson(value, limits);
    if (event.status === "refused") return event;
    try {
      const { success, error } = schema.safeParse(event.json);
      return success
        ? { status: "accepted", value, contentType }
        : schemaRefused(`zod: ${issuesText(error.issues)}`);
    } catch (error) {
      // The operator's code threw. The event is refused, and the log has the cause.
      return schemaRefused("zod: the schema failed on this event", error);
    }
  },
});

interface Issue {
  readonly path: readonly PropertyKey[];
  readonly message: string;
}

const issuesText = (issues: readonly Issue[]): string =>
  issues
    .map(({ path: at, message }) => (at.length === 0 ? message : `${at.map(String).join(".")}: ${message}`))
    .join("; ");

/** True for functions with the keyword `async`. A plain function that returns a promise can't be recognised. */
const isAsync = (value: unknown): value is (...given: never) => unknown =>
  Object.prototype.toString.call(value) === "[object AsyncFunction]";

/**
 * Finds an async function in the definition of a zod schema, at any depth, and returns its name, or its source if it has no
 * name; undefined: none. Lazy parts of the schema are not resolved.
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

/** The parts to search: the definition of a schema or check, without its methods and caches; the members of other values. */
const partsOf = (value: object): unknown[] => {
  if ("_zod" in value) return [(value._zod as { readonly def: unknown }).def];
  return value instanceof Map ? [...value.values()] : Object.values(value);
};

/** The `zod` that an import in this file finds without the hook. */
const zodSeenFrom = (file: string): string | undefined => {
  try {
    return createRequire(file).resolve("zod");
  } catch {
    return undefined;
  }
};

/** A module hook that resolves `zod` from this program's dependencies, for every importing module. */
const RESOLVER = `
  let home;
  export const initialize = (data) => { home = data; };
  export const resolve = (specifier, context, next) =>
    next(specifier, specifier.split("/")[0] === "zod" ? { ...context, parentURL: home } : context);
`;

let resolves = false;

/** Registers the hook once, only if a module can't find `zod` itself: Node runs hooks in a thread of their own. */
const resolveZodFromHere = (): void => {
  if (resolves) return;
  register(`data:text/javascript,${encodeURIComponent(RESOLVER)}`, { data: import.meta.url });
  resolves = true;
};
