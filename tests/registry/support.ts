/** A client of a registry for tests, with a fake clock and a fake format. */
import { GatewayError, type ErrorCode } from "../../src/errors.ts";
import { type CompiledSchema, type CompileSchema, SchemaUnusable } from "../../src/formats/format.ts";
import type { SchemaRegistry } from "../../src/registry/contract.ts";
import { createSchemaRegistry, type RegistryOptions } from "../../src/registry/registry.ts";
import { createFakeClock, type FakeClock } from "../support/fake-clock.ts";
import { startRegistry, type TestRegistry } from "../support/registry/registry.ts";

export const SECOND = 1000;
export const TTL = 60 * SECOND;
export const NEGATIVE_TTL = 10 * SECOND;
export const TIMEOUT = 5 * SECOND;

const LIMITS = { maxDepth: 10, maxBytes: 1000, unknownFields: "refuse" } as const;

/** The text of a schema for the fake format. It has a name unless `named` is undefined. */
export const textOf = (named: string | undefined): string => JSON.stringify({ type: "record", name: named });

/** The fake format shows its text as the decoded payload of every record. A text with the word "broken" is no schema. */
const compiledFor = (texts: string[]): CompileSchema => {
  return ({ type, text, references }) => {
    if (text.includes("broken")) throw new SchemaUnusable("it is broken");
    texts.push(text);
    const { name } = JSON.parse(text) as { name?: string };
    const all = [...references.map((one) => one.text), text].join("\n");
    const schema: CompiledSchema = { type, name, encode: (json) => json, decode: () => Buffer.from(all) };
    return schema;
  };
};

/** The texts of a schema: its references in their order, and its own. */
export const textsOf = (schema: CompiledSchema | undefined): readonly string[] =>
  schema?.decode(Buffer.alloc(0), "json").toString().split("\n") ?? [];

export interface Opened {
  readonly schemas: SchemaRegistry;
  readonly clock: FakeClock;
  /** Texts that were compiled. */
  readonly compiled: readonly string[];
  /** `operation outcome` of each request that has ended. */
  readonly outcomes: readonly string[];
  /** Log lines of outages. */
  readonly lines: readonly string[];
  readonly stale: () => number;
  readonly cached: () => number;
  /** Resolves when this many requests have ended, and their answers are in use. */
  readonly ended: (count: number) => Promise<void>;
}

const opened: SchemaRegistry[] = [];
const started: TestRegistry[] = [];

afterEach(async () => {
  await Promise.all(opened.splice(0).map((schemas) => schemas.close()));
  await Promise.all(started.splice(0).map((registry) => registry[Symbol.asyncDispose]()));
});

export const start: typeof startRegistry = async (options) => {
  const registry = await startRegistry(options);
  started.push(registry);
  return registry;
};

/** Closed after the test. */
export const open = (urls: readonly string[], more: Partial<RegistryOptions> = {}): Opened => {
  const clock = createFakeClock();
  const compiled: string[] = [];
  const outcomes: string[] = [];
  const lines: string[] = [];
  const watchers = new Set<() => void>();
  let stale = 0;
  let cached = (): number => 0;
  const schemas = createSchemaRegistry({
    urls,
    tls: {},
    timeoutMs: TIMEOUT,
    cacheTtlMs: TTL,
    negativeTtlMs: NEGATIVE_TTL,
    maxSchemas: 1000,
    maxSchemaBytes: 10_000,
    normalize: false,
    limits: LIMITS,
    compile: compiledFor(compiled),
    clock,
    asked: (operation, outcome) => {
      outcomes.push(`${operation} ${outcome}`);
      for (const watcher of watchers) watcher();
    },
    onUnavailable: (reason) => lines.push(`WARN ${reason}`),
    onBack: () => lines.push("INFO"),
    onStale: () => {
      stale += 1;
    },
    schemasFrom: (read) => {
      cached = read;
    },
    ...more,
  });
  opened.push(schemas);
  return {
    ...{ schemas, clock, compiled, outcomes, lines },
    stale: () => stale,
    cached: () => cached(),
    ended: async (count) => {
      await new Promise<void>((resolve) => {
        const check = (): void => {
          if (outcomes.length < count) return;
          watchers.delete(check);
          resolve();
        };
        watchers.add(check);
        check();
      });
      await new Promise(setImmediate);
    },
  };
};

/** Code and message of the error that the work throws or rejects with. */
export const errorOf = async (
  work: () => unknown,
): Promise<{ readonly code: ErrorCode | undefined; readonly message: string }> => {
  try {
    await work();
  } catch (error) {
    if (error instanceof GatewayError) return { code: error.code, message: error.message };
    throw error;
  }
  return { code: undefined, message: "" };
};
