/** Warnings of JSON Schemas on which one event can take quadratic time or worse. */
import { readFile } from "node:fs/promises";
import type { SchemaDeclaration } from "./declaration.ts";
import { isSlowPattern } from "./json-schema/slow-pattern.ts";
import { pointer } from "./json-schema/words.ts";

interface Declared {
  readonly name: string;
  readonly schema?: SchemaDeclaration | undefined;
}

type SchemaObject = Readonly<Record<string, unknown>>;

/** Their values are data, not schemas. */
const DATA = new Set(["const", "enum", "default", "examples"]);

/** With at most this many items, `uniqueItems` is fast enough whatever the items are. */
const FEW_ITEMS = 1000;

const isObject = (value: unknown): value is SchemaObject => typeof value === "object" && value !== null;

/** Reads each station's JSON Schema: a line for each slow keyword. What can't be read is a fault, and told elsewhere. */
export const slowSchemas = async (stations: readonly Declared[]): Promise<readonly string[]> => {
  const found = await Promise.all(
    stations.map(async ({ name, schema }) => {
      if (schema?.type !== "json-schema") return [];
      const root = await readFile(schema.file, "utf8")
        .then((text) => JSON.parse(text) as unknown)
        .catch(() => undefined);
      return slowKeywords(root).map((line) => `Station ${name}: the schema ${schema.file} ${line}`);
    }),
  );
  return found.flat();
};

/** The end of a warning for each slow keyword. */
export const slowKeywords = (root: unknown): readonly string[] => {
  const lines: string[] = [];
  const waiting: { node: unknown; path: readonly string[] }[] = [{ node: root, path: [] }];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    const { node, path } = next;
    if (!isObject(node)) continue;
    lines.push(...keywordsOf(node, `#${pointer(path)}`));
    for (const [name, value] of Object.entries(node).toReversed())
      if (!DATA.has(name)) waiting.push({ node: value, path: [...path, name] });
  }
  return lines;
};

const keywordsOf = (node: SchemaObject, at: string): readonly string[] => {
  const { pattern, patternProperties } = node;
  const patterns = [
    ...(typeof pattern === "string" ? [pattern] : []),
    ...(isObject(patternProperties) ? Object.keys(patternProperties) : []),
  ];
  return [
    ...(isSlowUnique(node)
      ? [
          `has uniqueItems at ${at}: the time grows with the square of the number of items; ` +
            `give items a type other than object and array, or set maxItems to ${FEW_ITEMS} or less`,
        ]
      : []),
    ...patterns
      .filter(isSlowPattern)
      .map(
        (text) =>
          `has the pattern ${JSON.stringify(text)} at ${at}: it repeats a group that contains a repetition, ` +
          `which can take very long on some texts; rewrite it with one repetition`,
      ),
  ];
};

/** As ajv decides: it compares each item with each other one unless `items` has a type that is a scalar. */
const isSlowUnique = ({ uniqueItems, maxItems, items }: SchemaObject): boolean => {
  if (uniqueItems !== true || (typeof maxItems === "number" && maxItems <= FEW_ITEMS)) return false;
  const types = isObject(items) ? [items["type"]].flat().filter((type) => type !== undefined) : [];
  return types.length === 0 || types.includes("object") || types.includes("array");
};
