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
