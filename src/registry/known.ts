/**
 * What the registry has answered. Answers that something exists never expire; they are bounded by bytes, and the least
 * recently used one is forgotten first. Answers that something does not exist are kept apart, so that they never displace
 * a known schema.
 */
import { createHash } from "node:crypto";
import { LRUCache } from "lru-cache";
import { asGatewayError, GatewayError } from "../errors.ts";
import {
  type CompiledSchema,
  type CompileSchema,
  type FormatLimits,
  type SchemaSource,
  SchemaUnusable,
} from "../formats/format.ts";
import type { Clock } from "../lib/clock.ts";
import type { Place } from "./requests.ts";

export interface KnownOptions {
  readonly compile: CompileSchema;
  readonly limits: FormatLimits;
  readonly maxSchemas: number;
  readonly maxSchemaBytes: number;
  /** Milliseconds for which a refusal is remembered. */
  readonly negativeTtlMs: number;
  readonly clock: Clock;
}

interface Refusals {
  /** Throws the remembered refusal. */
  checkRefused(key: string): void;
  /** Remembers the refusal for `negativeTtl`, and returns it. */
  refuse(key: string, refusal: GatewayError): GatewayError;
  forgetRefusal(key: string): void;
}

export interface Known extends Refusals {
  /** The schema under this key, compiled when it is first needed. undefined: not known. Throws SCHEMA_UNUSABLE. */
  schema(key: string): CompiledSchema | undefined;
  /** Adds a schema, and compiles it. Throws SCHEMA_UNUSABLE. */
  add(key: string, source: SchemaSource): CompiledSchema;
  place(key: string): Place | undefined;
  addPlace(key: string, place: Place): void;
  /** Number of compiled schemas. */
  readonly schemas: number;
}

/** Texts of known schemas take this many times `maxSchemaBytes`, so that a schema can be compiled again without the registry. */
const TEXTS = 64;
/** The texts of the compiled schemas take at most this many times `maxSchemaBytes`. */
const COMPILED_TEXTS = 32;
/** Bytes of the keys of places, about 200,000 of them. */
const PLACES_BYTES = 32 * 1024 * 1024;
const MAX_REFUSALS = 10_000;
/** Bytes that an entry takes beside its texts. */
const ENTRY_BYTES = 128;

const sizeOf = ({ text, references }: SchemaSource): number =>
  references.reduce((sum, { name, text: referred }) => sum + name.length + referred.length, text.length) +
  ENTRY_BYTES;

/** Throws SCHEMA_UNUSABLE. */
export const compileWith = (
  { compile, limits }: Pick<KnownOptions, "compile" | "limits">,
  source: SchemaSource,
): CompiledSchema => {
  try {
    return compile(source, limits);
  } catch (error) {
    if (!(error instanceof SchemaUnusable)) throw asGatewayError(error);
    throw new GatewayError("SCHEMA_UNUSABLE", { message: `The schema can't be used: ${error.message}` });
  }
};

export const createKnown = (options: KnownOptions): Known => {
  const { maxSchemas, maxSchemaBytes } = options;
  const sources = new LRUCache<string, SchemaSource>({
    maxSize: TEXTS * maxSchemaBytes,
    sizeCalculation: sizeOf,
  });
  const compiled = new LRUCache<string, CompiledSchema | GatewayError>({
    max: maxSchemas,
    maxSize: COMPILED_TEXTS * maxSchemaBytes,
  });
  const places = new LRUCache<string, Place>({
    maxSize: PLACES_BYTES,
    sizeCalculation: (_, key) => key.length + ENTRY_BYTES,
  });

  const compileOnce = (key: string, source: SchemaSource): CompiledSchema | GatewayError => {
    let result: CompiledSchema | GatewayError;
    try {
      result = compileWith(options, source);
    } catch (error) {
      result = asGatewayError(error);
    }
    compiled.set(key, result, { size: sizeOf(source) });
    return result;
  };

  const schema = (key: string): CompiledSchema | undefined => {
    const source = compiled.has(key) ? undefined : sources.get(key);
    const result = source === undefined ? compiled.get(key) : compileOnce(key, source);
    if (result instanceof GatewayError) throw result;
    return result;
  };

  return {
    schema,
    add: (key, source) => {
      if (!compiled.has(key)) compileOnce(key, source);
      sources.set(key, source);
      return schema(key) ?? compileWith(options, source);
    },
    place: (key) => places.get(key),
    addPlace: (key, place) => {
      places.set(key, { id: place.id, version: place.version });
    },
    ...createRefusals(options),
    get schemas() {
      return compiled.size;
    },
  };
};

/** Keys of refusals come from clients. */
const LONGEST_KEY = 200;

const shortened = (key: string): string =>
  key.length <= LONGEST_KEY ? key : createHash("sha256").update(key).digest("base64");

const createRefusals = ({ negativeTtlMs, clock }: KnownOptions): Refusals => {
  const refusals = new LRUCache<string, { readonly error: GatewayError; readonly until: number }>({
    max: MAX_REFUSALS,
  });
  return {
    checkRefused: (key) => {
      const refusal = refusals.get(shortened(key));
      if (refusal === undefined) return;
      if (clock.now() < refusal.until) throw refusal.error;
      refusals.delete(shortened(key));
    },
    refuse: (key, error) => {
      refusals.set(shortened(key), { error, until: clock.now() + negativeTtlMs });
      return error;
    },
    forgetRefusal: (key) => {
      refusals.delete(shortened(key));
    },
  };
};
