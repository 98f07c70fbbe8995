/**
 * Limits the work of protobufjs, whose time grows with the square of the fields of a message and of the declarations of a
 * scope: 4,000 fields in one message take seconds.
 */
import type { IDescriptorProto } from "protobufjs/ext/descriptor.js";
import { SchemaUnusable } from "../format.ts";

/** Sum of the squares of all sizes: 2,000 fields in one message, or 2,000 messages in one file. */
const MOST_WORK = 4_000_000;

/** For all files of one schema together. */
export interface ParserBudget {
  /** `sizes`: the number of declarations in each scope. Throws SchemaUnusable. */
  spend(sizes: readonly number[]): void;
}

export const createParserBudget = (): ParserBudget => {
  let work = 0;
  return {
    spend: (sizes) => {
      for (const size of sizes) work += size * size;
      if (work > MOST_WORK) throw new SchemaUnusable("it declares too many fields or messages");
    },
  };
};

/** Comments, strings, and what opens, fills and ends a scope. */
const TOKEN =
  /\/\/[^\n]*|\/\*[\s\S]*?\*\/|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|\b(?:enum|oneof|message|service)\b|[{}[\]=]/g;

interface Scope {
  size: number;
  /** The values of enums cost little. */
  readonly counts: boolean;
}

/** Fields of a oneof belong to its message. */
export const sizesOfText = (text: string): readonly number[] => {
  const sizes: number[] = [];
  const open: Scope[] = [{ size: 0, counts: true }];
  let kind = "";
  let brackets = 0;
  for (const [token] of text.matchAll(TOKEN)) {
    const scope = open.at(-1);
    if (scope === undefined) break;
    if (token === "{") {
      open.push(kind === "oneof" ? scope : { size: 0, counts: kind !== "enum" });
      kind = "";
    } else if (token === "}") {
      open.pop();
      if (open.at(-1) !== scope) sizes.push(sizeOf(scope));
    } else if (/^[a-z]/.test(token)) {
      kind = token;
      scope.size++;
    } else {
      brackets += BRACKETS.get(token) ?? 0;
      if (token === "=" && brackets <= 0) scope.size++;
    }
  }
  return [...sizes, ...open.map(sizeOf)];
};

const BRACKETS: ReadonlyMap<string, number> = new Map([
  ["[", 1],
  ["]", -1],
]);

const sizeOf = ({ size, counts }: Scope): number => (counts ? size : 0);

export const sizesOfDescriptor = (types: readonly IDescriptorProto[]): readonly number[] => [
  types.length,
  ...types.flatMap(({ field, nestedType }) => [field?.length ?? 0, ...sizesOfDescriptor(nestedType ?? [])]),
];
