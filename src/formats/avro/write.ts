/** What the writers of all types share. */
import { Digits } from "../digits.ts";
import type { AvroOutput } from "./output.ts";
import type { AvroType } from "./types.ts";

/**
 * Writes the value, or refuses it: then it returns false, and the output has the reason. What it has written of a refused
 * value stays in the output. An exception would cost a microsecond for each branch of a union that is tried.
 */
export type Write = (value: unknown, output: AvroOutput) => boolean;

/** Compiles the writer of a type inside another one. */
export type WriterOf = (type: AvroType) => Write;

export type JsonKind = "null" | "boolean" | "number" | "string" | "array" | "object";

export const kindOf = (value: unknown): JsonKind => {
  const type = typeof value;
  if (type === "string" || type === "number" || type === "boolean") return type;
  if (value === null) return "null";
  if (Array.isArray(value)) return "array";
  return value instanceof Digits ? "number" : "object";
};

export type JsonObject = Readonly<Record<string, unknown>>;

export const isObject = (value: unknown): value is JsonObject =>
  typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof Digits);

export const mismatch = (output: AvroOutput, expected: string, value: unknown): false =>
  output.refuse(`expected ${expected}, but got ${kindOf(value)}`);
