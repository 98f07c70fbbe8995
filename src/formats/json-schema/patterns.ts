/**
 * Patterns that take linear time for every text. A schema of the registry can come from a client, and one event must not block
 * the gateway. A pattern means the same as an expression with the flag `u`.
 */
import type { RegExpLike } from "ajv/dist/types/index.js";
import "../../lib/linear-pattern.ts";
import { SchemaUnusable } from "../format.ts";

/** The tokens of a regular expression: escapes, classes, group openings, quantifiers and single characters. */
const TOKEN =
  /\\(?:[pP]\{[^}]*\}|u\{[^}]*\}|u[\dA-Fa-f]{4}|x[\dA-Fa-f]{2}|k<[^>]*>|.)|\[(?:\\.|[^\]\\])*\]|\((?:\?(?:[:=!]|<[=!]|<[^>]+>))?|[*+?]\??|\{\d+(?:,\d*)?\}\??|./gsu;
const QUANTIFIER = /^(?:[*+?]|\{(\d+)(,?)(\d*)\})\??$/;

/** A quantifier with more choices counts as a repetition without end. */
const FEW = 100;
/** Maximum copies of one counted character. The time grows with them. */
const MOST_COPIES = 128;

interface Pattern {
  test(text: string): boolean;
}

/** The engine that ajv uses for `pattern` and `patternProperties`. ajv knows patterns apart by their text. */
export const linearEngine = Object.assign(
  (source: string): RegExpLike => {
    const pattern = linearPattern(source);
    return Object.assign(Object.create({ toString: () => source }) as object, {
      test: (text: string) => pattern.test(text),
    });
  },
  { code: "linearEngine" },
);

/** Compiles a pattern. Throws SchemaUnusable, also for a pattern that does not run in linear time. */
export const linearPattern = (source: string): Pattern => {
  const native = compiled(source, "u");
  if (native === undefined) throw new SchemaUnusable(`the pattern ${shown(source)} is no regular expression`);
  if (isSimple(source)) return native;
  const split = lookAheads(source);
  if (split !== undefined) {
    const rest = linearPattern(`^${split.rest}`);
    const looks = split.looks.map(({ wanted, body }) => ({ wanted, pattern: linearPattern(`^(?:${body})`) }));
    return {
      test: (text) => looks.every(({ wanted, pattern }) => pattern.test(text) === wanted) && rest.test(text),
    };
  }
  const linear = translated(source);
  const pattern = linear === undefined ? undefined : compiled(linear, "l");
  if (pattern !== undefined) return pattern;
  throw new SchemaUnusable(
    `the pattern ${shown(source)} does not run in linear time: rewrite it without look-aheads that do not follow ^ at the ` +
      "start, look-behinds, back references and groups with a large count such as (ab){1000}",
  );
};

const compiled = (source: string, flags: string): RegExp | undefined => {
  try {
    return new RegExp(source, flags);
  } catch {
    return undefined;
  }
};

const shown = (source: string): string =>
  JSON.stringify(source.length > FEW ? `${source.slice(0, FEW)}…` : source);

/** The fewest and the most repetitions; undefined: the token is no quantifier. */
const countsOf = (token: string): readonly [number, number] | undefined => {
  const parts = QUANTIFIER.exec(token);
  if (parts === null) return undefined;
  const [, low, comma, high] = parts;
  if (low === undefined) return token.startsWith("?") ? [0, 1] : [token.startsWith("+") ? 1 : 0, Infinity];
  if (comma === "") return [Number(low), Number(low)];
  return [Number(low), high === "" ? Infinity : Number(high)];
};

/**
 * A pattern that begins with `^`, has no groups and choices, and has at most one repetition without end takes linear time. The
 * few choices of counted repetitions multiply.
 */
const isSimple = (source: string): boolean => {
  if (!source.startsWith("^")) return false;
  let choices = 1;
  let endless = 0;
  for (const [token] of source.matchAll(TOKEN)) {
    if (token.startsWith("(") || token === "|" || /^\\[1-9k]/.test(token)) return false;
    const counts = countsOf(token);
    if (counts === undefined) continue;
    const [low, high] = counts;
    if (high - low >= FEW) endless++;
    else choices *= high - low + 1;
  }
  return endless <= 1 && choices <= FEW;
};

const PAIR = "[\\uD800-\\uDBFF][\\uDC00-\\uDFFF]";
const HALVES = "\\uD800-\\uDFFF";
const COMPLEMENTS: ReadonlyMap<string, string> = new Map([
  [".", "\\n\\r\\u2028\\u2029"],
  ["\\D", "\\d"],
  ["\\W", "\\w"],
  ["\\S", "\\s"],
]);

/**
 * The same expression without the flag `u`, which the linear engine lacks: whatever matches a character beyond U+FFFF matches
 * its two halves. undefined: the expression has a part that needs the flag.
 */
const translated = (source: string): string | undefined => {
  let out = "";
  let atom: string | undefined;
  for (const [token] of source.matchAll(TOKEN)) {
    const counts = countsOf(token);
    if (counts !== undefined) {
      out += atom === undefined ? token : repeated(atom, counts);
      atom = undefined;
      continue;
    }
    if (/^\\[pPk1-9]|\\u\{|\\[pP]\{|[\u{10000}-\u{10FFFF}]/u.test(token)) return undefined;
    out += atom ?? "";
    atom = undefined;
    if (/^(?:\(|\)|\||\^|\$|\\[bB]$)/.test(token)) out += token;
    else atom = atomOf(token);
  }
  return out + (atom ?? "");
};

const atomOf = (token: string): string => {
  const complement = COMPLEMENTS.get(token);
  if (complement !== undefined) return `(?:${PAIR}|[^${complement}${HALVES}])`;
  if (token.startsWith("[^")) {
    return /\\[DWS]/.test(token) ? token : `(?:${PAIR}|${token.slice(0, -1)}${HALVES}])`;
  }
  return token.startsWith("[") && /\\[DWS]/.test(token) ? `(?:${PAIR}|${token})` : token;
};

/** The linear engine refuses many copies of a part, so that the copies are written out. */
const repeated = (atom: string, [low, high]: readonly [number, number]): string => {
  const most = Number.isFinite(high) ? high : low;
  if (most > MOST_COPIES) return `${atom}{${low},${high === Infinity ? "" : high}}`;
  return atom.repeat(low) + (most === high ? `${atom}?`.repeat(high - low) : `${atom}*`);
};

/** Splits the look-aheads that follow `^` at the start from the rest of the pattern: each of them is a pattern of its own. */
const lookAheads = (
  source: string,
): { readonly looks: readonly Look[]; readonly rest: string } | undefined => {
  const tokens = [...source.matchAll(TOKEN)].map(([token]) => token);
  const looks: Look[] = [];
  let at = 1;
  while (tokens[0] === "^" && (tokens[at] === "(?=" || tokens[at] === "(?!")) {
    const end = endOfGroup(tokens, at);
    looks.push({ wanted: tokens[at] === "(?=", body: tokens.slice(at + 1, end).join("") });
    at = end + 1;
  }
  const rest = tokens.slice(at);
  const isSplit = looks.length > 0 && countsOf(rest[0] ?? "") === undefined && !hasChoice(rest);
  return isSplit ? { looks, rest: rest.join("") } : undefined;
};

interface Look {
  readonly wanted: boolean;
  readonly body: string;
}

const endOfGroup = (tokens: readonly string[], first: number): number => {
  let depth = 0;
  let at = first;
  do {
    if (tokens[at]?.startsWith("(")) depth++;
    else if (tokens[at] === ")") depth--;
    at++;
  } while (depth > 0 && at < tokens.length);
  return at - 1;
};

/** True if the pattern has a `|` outside of groups. */
const hasChoice = (tokens: readonly string[]): boolean => {
  let depth = 0;
  return tokens.some((token) => {
    if (token.startsWith("(")) depth++;
    else if (token === ")") depth--;
    return token === "|" && depth === 0;
  });
};
