/**
 * The writer of a union: null, a value with the name of its branch (`{"string": "x"}`), or a value without it that exactly one
 * branch accepts.
 */
import type { AvroOutput } from "./output.ts";
import { type AvroType, tagOf, type UnionType } from "./types.ts";
import { type JsonKind, type JsonObject, kindOf, type Write, type WriterOf } from "./write.ts";

interface Branch {
  readonly index: number;
  readonly tag: string;
  readonly write: Write;
}

/**
 * Values that may be visited in one event while its unions are ambiguous. Without a bound, nested unions of two records
 * take twice as long with each level.
 */
const MAX_VISITED = 1_000_000;

/** The JSON values that a type may accept. Doubles accept "NaN", and decimals accept numbers. */
const ACCEPTED: Readonly<Record<AvroType["kind"], readonly JsonKind[]>> = {
  null: ["null"],
  boolean: ["boolean"],
  int: ["number"],
  long: ["number"],
  float: ["number", "string"],
  double: ["number", "string"],
  string: ["string"],
  bytes: ["string", "number"],
  fixed: ["string", "number"],
  enum: ["string"],
  array: ["array"],
  map: ["object"],
  record: ["object"],
  union: [],
};

/** May the type accept some value of this kind? */
export const accepts = (type: AvroType, kind: JsonKind): boolean => {
  if ("decimal" in type && type.decimal === undefined && kind === "number") return false;
  return ACCEPTED[type.kind].includes(kind);
};

type Candidates = Readonly<Record<JsonKind, readonly Branch[]>>;

export const unionWriter = ({ branches: types }: UnionType, writerOf: WriterOf): Write => {
  const branches = types.map((type, index) => ({ index, type, tag: tagOf(type), write: writerOf(type) }));
  const byTag: ReadonlyMap<string, Branch> = new Map(branches.map((branch) => [branch.tag, branch]));
  const accepting = (kind: JsonKind): Branch[] => branches.filter(({ type }) => accepts(type, kind));
  const candidates: Candidates = {
    null: accepting("null"),
    boolean: accepting("boolean"),
    number: accepting("number"),
    string: accepting("string"),
    array: accepting("array"),
    object: accepting("object"),
  };
  const expected = listed(branches, " or ");
  return (value, output) => {
    const kind = kindOf(value);
    if (kind === "object" && !output.isDefault) {
      const tag = onlyMember(value as JsonObject);
      const branch = tag === undefined ? undefined : byTag.get(tag);
      if (branch !== undefined) return writeTagged(branch, value as JsonObject, output);
    }
    const fitting = candidates[kind];
    const [branch] = fitting;
    if (branch === undefined) return output.refuse(`expected ${expected}, but got ${kind}`);
    if (fitting.length > 1) return tryAll(fitting, value, output);
    output.int(branch.index);
    return branch.write(value, output);
  };
};

const listed = (branches: readonly Branch[], between: string): string =>
  branches.map(({ tag }) => tag).join(between);

/** The name of an object's only member. */
const onlyMember = (value: JsonObject): string | undefined => {
  let only: string | undefined;
  for (const name in value) {
    if (only !== undefined) return undefined;
    only = name;
  }
  return only;
};

const writeTagged = ({ index, tag, write }: Branch, value: JsonObject, output: AvroOutput): boolean => {
  output.int(index);
  return write(value[tag], output) || output.within(tag);
};

/** Writes the value with each branch, and keeps the result if it is the only one. */
const tryAll = (branches: readonly Branch[], value: unknown, output: AvroOutput): boolean => {
  const start = output.at;
  let end = start;
  const accepted: Branch[] = [];
  for (const branch of branches) {
    if (output.visited > MAX_VISITED)
      return output.refuse(
        'too many union values of the event have no branch name. Name the branches: {"<branch>": …}',
      );
    output.visited++;
    output.int(branch.index);
    if (branch.write(value, output)) {
      accepted.push(branch);
      if (output.isDefault) return true;
      if (accepted.length === 1) end = output.at;
    }
    output.at = end;
  }
  if (accepted.length === 1) return true;
  output.at = start;
  if (accepted.length === 0) return output.refuse(`no branch accepts the value: ${listed(branches, ", ")}`);
  const [first] = accepted;
  return output.refuse(
    `the branches ${listed(accepted, ", ")} accept the value. Name one: {"${first?.tag ?? ""}": …}`,
  );
};
