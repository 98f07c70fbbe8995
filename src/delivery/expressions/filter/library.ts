/**
 * What cel-js does for filters: its parser, its type checker and its functions. The evaluation is our own (`compile.ts`), because
 * cel-js can't bound the work of an evaluation, and because it keeps a type for each shape of a value that it has ever seen.
 */
import { Environment } from "@marcbachmann/cel-js";

export const MAX_NODES = 500;
export const MAX_DEPTH = 32;

/** The kinds of values, by the library's names. */
export type Kind =
  | "null"
  | "bool"
  | "int"
  | "uint"
  | "double"
  | "string"
  | "bytes"
  | "list"
  | "map"
  | "google.protobuf.Timestamp"
  | "google.protobuf.Duration";

/** The values of these kinds have no parts, so the library knows all of their type from the kind. */
const SCALARS: ReadonlySet<string> = new Set<Kind>([
  ...(["bool", "int", "uint", "double", "string", "bytes"] as const),
  ...(["google.protobuf.Timestamp", "google.protobuf.Duration"] as const),
]);

/** Knows the variables of events. */
export const createEnvironment = (): Environment =>
  new Environment({
    homogeneousAggregateLiterals: false,
    limits: { maxAstNodes: MAX_NODES, maxDepth: MAX_DEPTH },
  })
    .registerVariable("data", "dyn")
    .registerVariable("topic", "string")
    .registerVariable("key", "dyn")
    .registerVariable("partition", "int")
    .registerVariable("offset", "int")
    .registerVariable("headers", "map<string, string>")
    .registerVariable("time", "google.protobuf.Timestamp")
    .registerVariable("eventType", "dyn");

const isObject = (value: unknown): value is object => typeof value === "object" && value !== null;

const classOf = (expression: string): unknown => {
  const value: unknown = new Environment().evaluate(expression);
  return isObject(value) ? value.constructor : undefined;
};

const CLASSES = new Map<unknown, Kind>([
  [classOf('duration("0s")'), "google.protobuf.Duration"],
  [classOf("0u"), "uint"],
  [Date, "google.protobuf.Timestamp"],
  [Uint8Array, "bytes"],
  [Buffer, "bytes"],
  [Array, "list"],
]);

/** By JavaScript's name of the type. */
const PRIMITIVES: ReadonlyMap<string, Kind> = new Map<string, Kind>([
  ["string", "string"],
  ["number", "double"],
  ["bigint", "int"],
  ["boolean", "bool"],
]);

export const kindOf = (value: unknown): Kind => {
  if (!isObject(value)) return PRIMITIVES.get(typeof value) ?? "null";
  // An event can have a member `constructor`, but only of a JSON type.
  return Array.isArray(value) ? "list" : (CLASSES.get(value.constructor) ?? "map");
};

/** Calls the library with values of known kinds. */
export type Native = (values: readonly unknown[]) => unknown;

const NAMES = Array.from({ length: 8 }, (_, index) => `v${index}`);

const compileNative = (expression: string, kinds: readonly Kind[]): Native | undefined => {
  const environment = new Environment();
  for (const [index, kind] of kinds.entries()) environment.registerVariable(NAMES[index] ?? "", kind);
  const run = environment.parse(expression);
  if (!run.check().valid) return undefined;
  return (values) =>
    run(
      Object.fromEntries<unknown>(values.map((value, index) => [NAMES[index] ?? "", value] as const)),
    ) as unknown;
};

const natives = new Map<string, Native | undefined>();

/**
 * The library's function or operator for values of these kinds. undefined: the library has no such function. `write`: the
 * expression for these names. There are as many natives as the library has functions and operators for combinations of kinds.
 */
export const nativeFor = (
  name: string,
  kinds: readonly Kind[],
  write: (names: readonly string[]) => string,
): Native | undefined => {
  if (!kinds.every((kind) => SCALARS.has(kind)) || kinds.length > NAMES.length) return undefined;
  const key = `${name} ${kinds.join()}`;
  if (!natives.has(key)) natives.set(key, compileNative(write(NAMES.slice(0, kinds.length)), kinds));
  return natives.get(key);
};
