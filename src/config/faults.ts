/** What is wrong with the settings, one line for each fault: path, what was given, what is allowed; never a secret. */
import type { z } from "zod";
import { maskQueryCredentials } from "../lib/url-credentials.ts";
import { nearest } from "../lib/text.ts";
import { groupOf, infoOf, isObject, isOpen, mapTree, settingAt, type Path } from "./tree.ts";

export interface Fault {
  readonly path: Path;
  readonly text: string;
}

type Schema = z.core.$ZodType;

const segment = (step: PropertyKey, first: boolean): string => {
  if (typeof step === "number") return `[${step}]`;
  const name = String(step);
  const shown = /^[\w.-]+$/.test(name) ? name : JSON.stringify(name);
  return first ? shown : `.${shown}`;
};

/** A path as people write it: `auth.accounts[0].username`. */
export const pathText = (path: Path): string => path.map((step, i) => segment(step, i === 0)).join("");

/** Credentials of a URL, its user and password and its query parameters, are secrets wherever they stand. */
export const withoutUrlCredentials = (text: string): string =>
  maskQueryCredentials(text.replace(/\/\/[^/\s@]*@/g, "//***@"), "***");

const kindOf = (value: unknown): string => {
  if (Array.isArray(value)) return "a list";
  if (value === undefined || value === null) return "nothing";
  return { string: "a text", number: "a number", boolean: "a flag" }[typeof value as string] ?? "an object";
};

const shown = (value: unknown, showable: boolean): string => {
  if (showable && typeof value === "string") {
    return JSON.stringify(withoutUrlCredentials(value.length > 80 ? `${value.slice(0, 80)}…` : value));
  }
  return showable && (typeof value === "number" || typeof value === "boolean")
    ? String(value)
    : kindOf(value);
};

/** All ways in which a value of this place can be wrong read alike: what came, and what may. */
const refusal = (root: Schema, tree: unknown, path: Path): Fault => {
  const { value, showable, info } = settingAt(root, tree, path);
  const allowed = info?.allowed ?? "an object";
  return { path, text: `got ${shown(value, showable)}, allowed: ${allowed}` };
};

/** Names that may be written in a group: its keys, and the files that secrets can come from. */
const namesOf = (group: Readonly<Record<string, Schema>>): readonly string[] =>
  Object.entries(group).flatMap(([name, schema]) =>
    infoOf(schema)?.secret === true ? [name, `${name}File`] : [name],
  );

export const unknownName = (name: string, known: readonly string[]): string =>
  `is unknown, did you mean ${nearest(name, known) ?? "nothing"}?`;

const unknownOf = (schema: Schema, value: unknown): readonly (readonly [string, string])[] => {
  const group = groupOf(schema, value);
  if (group === undefined || !isObject(value) || isOpen(schema)) return [];
  const names = namesOf(group);
  return Object.keys(value)
    .filter((name) => !Object.hasOwn(group, name))
    .map((name) => [name, unknownName(name, names)]);
};

/** The tree without its unknown keys, so that they hide no other fault, and a fault for each. */
export const withoutUnknown = (root: Schema, tree: unknown): { tree: unknown; faults: readonly Fault[] } => {
  const faults: Fault[] = [];
  const known = mapTree(root, tree, (value, schema, path) => {
    const unknown = unknownOf(schema, value);
    faults.push(...unknown.map(([name, text]) => ({ path: [...path, name], text })));
    const names = new Set(unknown.map(([name]) => name));
    return isObject(value) && names.size > 0
      ? Object.fromEntries(Object.entries(value).filter(([name]) => !names.has(name)))
      : value;
  });
  return { tree: known, faults };
};

/** Where a choice failed inside one of its groups, the faults are those of that group. */
const leaves = (issue: z.core.$ZodIssue): readonly z.core.$ZodIssue[] => {
  const inside =
    issue.code === "invalid_union"
      ? issue.errors.find((group) => group.some(({ path }) => path.length > 0))
      : undefined;
  return inside?.flatMap((each) => leaves({ ...each, path: [...issue.path, ...each.path] })) ?? [issue];
};

/** Faults of a parse. Rules over several keys bring their own words; a key's own check has none but the key's. */
export const faultsOf = (root: Schema, tree: unknown, error: z.ZodError): readonly Fault[] =>
  error.issues
    .flatMap(leaves)
    .map((issue) =>
      issue.code === "custom" && issue.message !== ""
        ? { path: issue.path, text: issue.message }
        : refusal(root, tree, issue.path),
    );

/** Is there a fault at this place, or inside it, already? */
export const isTold = (path: Path, told: readonly Fault[]): boolean =>
  told.some((fault) => path.every((step, index) => fault.path[index] === step));
