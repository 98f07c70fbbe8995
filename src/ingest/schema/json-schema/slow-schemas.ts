/** Warnings of JSON Schemas on which one event can take quadratic time or worse. */
import { readFile } from "node:fs/promises";
import { pointer } from "./locate.ts";
import type { SchemaDeclaration } from "../validator.ts";

/** Finds regular expressions that can take quadratic time or worse: a repetition inside a repetition. */

/** Escapes, classes, opening brackets of groups, quantifiers, and single characters. */
const TOKEN =
  /\\(?:[pP]\{[^}]*\}|u\{[^}]*\}|u[\dA-Fa-f]{4}|x[\dA-Fa-f]{2}|k<[^>]*>|.)|\[(?:\\.|[^\]\\])*\]|\((?:\?(?:[:=!]|<[=!]|<[^>]+>))?|[*+?]\??|\{\d+(?:,\d*)?\}\??|./gsu;

/** A quantifier with a higher maximum counts as a repetition. */
const MANY = 10;

interface Atom {
  /** Absent for a group. */
  readonly source?: string;
  readonly group?: Group | undefined;
  quantified: boolean;
}

interface Group {
  readonly atoms: Atom[];
  /** Sources of the atoms that are repeated, at any depth. */
  readonly repeated: string[];
  hasChoice: boolean;
}

const newGroup = (): Group => ({ atoms: [], repeated: [], hasChoice: false });

/** The most repetitions that a quantifier allows; undefined: the token is no quantifier. */
const most = (token: string): number | undefined => {
  const counts = /^\{(\d+)(,?)(\d*)\}/.exec(token);
  if (counts !== null) {
    const [, least, comma, highest] = counts;
    if (comma === "") return Number(least);
    return highest === "" ? Infinity : Number(highest);
  }
  return { "*": Infinity, "+": Infinity, "?": 1 }[token.length < 3 ? token.charAt(0) : ""];
};

const ASCII = Array.from({ length: 128 }, (_, code) => String.fromCharCode(code));

/** What an atom matches of ASCII; of one that can't be compiled alone, everything. */
const charactersOf = (source: string): ReadonlySet<string> => {
  try {
    const single = new RegExp(`^(?:${source})$`, "su");
    return new Set(ASCII.filter((character) => single.test(character)));
  } catch {
    return new Set(ASCII);
  }
};

/** Each round of the group begins or ends with a character that no repetition in it can match. */
const hasSeparator = ({ atoms, repeated, hasChoice }: Group): boolean => {
  if (hasChoice) return false;
  const loops = repeated.map(charactersOf);
  return [atoms[0], atoms.at(-1)].some((atom) => {
    if (atom?.source === undefined || atom.quantified) return false;
    const own = charactersOf(atom.source);
    return own.size > 0 && [...own].every((character) => loops.every((loop) => !loop.has(character)));
  });
};

const sourcesOf = ({ atoms }: Group): readonly string[] =>
  atoms.flatMap(({ source, group }) => source ?? (group === undefined ? [] : sourcesOf(group)));

/** A repetition of the last atom in `group`. True: it makes the expression slow. */
const repeat = (group: Group, atom: Atom): boolean => {
  if (atom.group === undefined) {
    group.repeated.push(atom.source ?? "");
    return false;
  }
  group.repeated.push(...sourcesOf(atom.group));
  return atom.group.repeated.length > 0 && !hasSeparator(atom.group);
};

/** Adds a token that is no quantifier; the last of `open` is the group that is being read. */
const place = (token: string, open: Group[]): void => {
  const group = open.at(-1) ?? newGroup();
  if (token === "|") {
    group.hasChoice = true;
  } else if (token.startsWith("(")) {
    open.push(newGroup());
  } else if (token === ")" && open.length > 1) {
    open.pop();
    const outer = open.at(-1);
    outer?.atoms.push({ group, quantified: false });
    outer?.repeated.push(...group.repeated);
  } else if (token !== "^" && token !== "$") {
    group.atoms.push({ source: token, quantified: false });
  }
};

/** True if a repeated group repeats something in itself, and nothing separates its rounds. */
export const isSlowPattern = (pattern: string): boolean => {
  const open = [newGroup()];
  for (const [token] of pattern.matchAll(TOKEN)) {
    const group = open.at(-1);
    const atom = group?.atoms.at(-1);
    const times = most(token);
    if (times === undefined || group === undefined || atom === undefined) {
      place(token, open);
      continue;
    }
    atom.quantified = true;
    if (times > MANY && repeat(group, atom)) return true;
  }
  return false;
};

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
