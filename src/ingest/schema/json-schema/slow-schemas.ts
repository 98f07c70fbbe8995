/** Warns about JSON Schemas with which one event can take quadratic time or more to validate. */
import { readFile } from "node:fs/promises";
import { pointer } from "../../../formats/json-schema/locate.ts";
import type { SchemaDeclaration } from "../validator.ts";

/** The tokens of a regular expression: escapes, classes, group openings, quantifiers and single characters. */
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

/** The maximum of a quantifier; undefined: the token is not a quantifier. */
const maximumOf = (token: string): number | undefined => {
  const counts = /^\{(\d+)(,?)(\d*)\}/.exec(token);
  if (counts !== null) {
    const [, lowest, comma, highest] = counts;
    if (comma === "") return Number(lowest);
    return highest === "" ? Infinity : Number(highest);
  }
  return { "*": Infinity, "+": Infinity, "?": 1 }[token.length < 3 ? token.charAt(0) : ""];
};

const ASCII = Array.from({ length: 128 }, (_, code) => String.fromCharCode(code));

/** The ASCII characters that an atom matches. If it can't be compiled alone, all of them. */
const charactersOf = (source: string): ReadonlySet<string> => {
  try {
    const single = new RegExp(`^(?:${source})$`, "su");
    return new Set(ASCII.filter((character) => single.test(character)));
  } catch {
    return new Set(ASCII);
  }
};

/** True if every iteration of the group begins or ends with a character that no repetition inside the group can match. */
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

/** Records that the last atom of `group` is repeated. Returns true if this makes the expression slow. */
const repeat = (group: Group, atom: Atom): boolean => {
  if (atom.group === undefined) {
    group.repeated.push(atom.source ?? "");
    return false;
  }
  group.repeated.push(...sourcesOf(atom.group));
  return atom.group.repeated.length > 0 && !hasSeparator(atom.group);
};

/** Adds a token that is not a quantifier. `open` has the open groups, innermost last. */
const addToken = (token: string, open: Group[]): void => {
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

/** True if a repeated group contains a repetition, and no character separates the iterations of the group. */
export const isSlowPattern = (pattern: string): boolean => {
  const open = [newGroup()];
  for (const [token] of pattern.matchAll(TOKEN)) {
    const group = open.at(-1);
    const atom = group?.atoms.at(-1);
    const times = maximumOf(token);
    if (times === undefined || group === undefined || atom === undefined) {
      addToken(token, open);
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

/** Keywords whose values are data, not schemas. */
const DATA = new Set(["const", "enum", "default", "examples"]);

/** Up to this number of items, `uniqueItems` is fast enough for items of every type. */
const FEW_ITEMS = 1000;

const isObject = (value: unknown): value is SchemaObject => typeof value === "object" && value !== null;

/** One line for each slow keyword in the stations' JSON Schemas. An unreadable file has no line: `loadStations` reports it. */
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

/** One text for each slow keyword, without the station and the file. */
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

/** ajv compares every pair of items, unless the type of `items` is a scalar. */
const isSlowUnique = ({ uniqueItems, maxItems, items }: SchemaObject): boolean => {
  if (uniqueItems !== true || (typeof maxItems === "number" && maxItems <= FEW_ITEMS)) return false;
  const types = isObject(items) ? [items["type"]].flat().filter((type) => type !== undefined) : [];
  return types.length === 0 || types.includes("object") || types.includes("array");
};
