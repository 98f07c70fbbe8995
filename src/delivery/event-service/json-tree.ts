/**
 * A JSON tree that keeps two things that JSON.parse loses: the order of all members, even with names such as "10" and "2",
 * and the source digits of numbers.
 */
import {
  CLOSE_BRACE,
  COMMA,
  elementsOf,
  endOfString,
  endOfValue,
  OPEN_BRACE,
  OPEN_BRACKET,
  QUOTE,
  skipSpace,
  stringAt,
} from "../../lib/json-scan.ts";

/** `source`: the source text of a number, true, false or null. */
export interface JsonLiteral {
  readonly source: string;
}

export type JsonObject = ReadonlyMap<string, JsonTree>;

export type JsonTree = string | JsonLiteral | readonly JsonTree[] | JsonObject;

/**
 * The value at `at` in a valid JSON text. Members whose value is null are left out. If a name occurs twice, the last value
 * counts.
 */
export const jsonTreeAt = (bytes: Buffer, at: number): JsonTree => {
  const first = bytes[at];
  if (first === QUOTE) return stringAt(bytes, at);
  if (first === OPEN_BRACE) return objectAt(bytes, at);
  if (first === OPEN_BRACKET) return elementsOf(bytes, at).map((element) => jsonTreeAt(bytes, element));
  return { source: bytes.toString("latin1", at, endOfValue(bytes, at)) };
};

const objectAt = (bytes: Buffer, object: number): JsonObject => {
  const members = new Map<string, JsonTree>();
  let i = skipSpace(bytes, object + 1);
  while (i < bytes.length && bytes[i] !== CLOSE_BRACE) {
    const value = skipSpace(bytes, skipSpace(bytes, endOfString(bytes, i)) + 1);
    const tree = jsonTreeAt(bytes, value);
    if (isJsonNull(tree)) members.delete(stringAt(bytes, i));
    else members.set(stringAt(bytes, i), tree);
    const next = skipSpace(bytes, endOfValue(bytes, value));
    i = bytes[next] === COMMA ? skipSpace(bytes, next + 1) : next;
  }
  return members;
};

export const isJsonObject = (tree: JsonTree | undefined): tree is JsonObject => tree instanceof Map;

const isJsonNull = (tree: JsonTree): boolean =>
  typeof tree === "object" && "source" in tree && tree.source === "null";

const isArray: (tree: JsonTree) => tree is readonly JsonTree[] = Array.isArray;

/**
 * The tree as text without white space. Escapes `"`, `\`, control characters below U+0020, U+2028 and U+2029, as Gson does
 * without HTML escaping.
 */
export const jsonTextOf = (tree: JsonTree): string => {
  if (typeof tree === "string") return quoted(tree);
  if (isArray(tree)) return `[${tree.map(jsonTextOf).join(",")}]`;
  if (!isJsonObject(tree)) return tree.source;
  return `{${[...tree].map(([name, value]) => `${quoted(name)}:${jsonTextOf(value)}`).join(",")}}`;
};

const quoted = (text: string): string =>
  JSON.stringify(text).replaceAll("\u2028", "\\u2028").replaceAll("\u2029", "\\u2029");
