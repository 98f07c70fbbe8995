/** Unions of a JSON text: null, a tagged value, or a bare value whose JSON kind only one branch accepts. */
import { CLOSE_BRACE, OPEN_BRACE, OPEN_BRACKET, QUOTE } from "../../../lib/json-scan.ts";
import type { AvroOutput } from "../output.ts";
import { type AvroType, tagOf, type UnionType } from "../types.ts";
import type { JsonKind } from "../write.ts";
import { accepts } from "../write-union.ts";
import type { Direct, JsonInput } from "./input.ts";
import { endOfPlain } from "./text.ts";

interface Branch {
  readonly index: number;
  readonly tag: string;
  readonly write: Direct;
}

/** The only branch that may accept a JSON kind. */
type OnlyBranches = Readonly<Record<JsonKind, Branch | undefined>>;

const LETTER_F = 0x66;
const LETTER_N = 0x6e;
const LETTER_T = 0x74;

const kindAt = (first: number): JsonKind => {
  switch (first) {
    case QUOTE:
      return "string";
    case OPEN_BRACE:
      return "object";
    case OPEN_BRACKET:
      return "array";
    case LETTER_N:
      return "null";
    case LETTER_T:
    case LETTER_F:
      return "boolean";
    default:
      return "number";
  }
};

export const directUnion = ({ branches: types }: UnionType, directOf: (type: AvroType) => Direct): Direct => {
  const branches = types.map((type, index) => ({
    index,
    type,
    tag: tagOf(type),
    write: directOf(type),
  }));
  const onlyOf = (kind: JsonKind): Branch | undefined => {
    const fitting = branches.filter(({ type }) => accepts(type, kind));
    return fitting.length === 1 ? fitting[0] : undefined;
  };
  const only: OnlyBranches = {
    null: onlyOf("null"),
    boolean: onlyOf("boolean"),
    number: onlyOf("number"),
    string: onlyOf("string"),
    array: onlyOf("array"),
    object: onlyOf("object"),
  };
  const hasPlainTags = branches.every(({ tag }) => isAscii(tag));
  return (input, output) => {
    const kind = kindAt(input.next());
    if (kind === "object") return hasPlainTags && writeObject(branches, only.object, input, output);
    return writeBranch(only[kind], input, output);
  };
};

/** `passesName` passes no other names. */
const isAscii = (name: string): boolean => Buffer.byteLength(name) === name.length;

const writeBranch = (branch: Branch | undefined, input: JsonInput, output: AvroOutput): boolean => {
  if (branch === undefined) return false;
  output.int(branch.index);
  return branch.write(input, output);
};

/** An object is tagged if its only member has the name of a branch. */
const writeObject = (
  branches: readonly Branch[],
  bare: Branch | undefined,
  input: JsonInput,
  output: AvroOutput,
): boolean => {
  const { at: start } = input;
  input.at++;
  input.next();
  for (const branch of branches) {
    if (!input.passesName(branch.tag)) continue;
    if (!input.enter() || !input.colon() || !writeBranch(branch, input, output)) return false;
    // With a second member the object is no tagged value.
    return input.more(CLOSE_BRACE) === 0;
  }
  // A name with an escape may be the name of a branch.
  if (input.bytes[input.at] === QUOTE && endOfPlain(input) < 0) return false;
  input.at = start;
  return writeBranch(bare, input, output);
};
