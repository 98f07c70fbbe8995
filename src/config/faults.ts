/** Faults of settings. The line of a fault has the path, the given value and the allowed values; it never has a secret. */
import type { z } from "zod";
import { maskQueryCredentials } from "../lib/url-credentials.ts";
import { nearest } from "../lib/text.ts";
import { groupOf, infoOf, isObject, isOpen, mapTree, settingAt, type Path } from "./tree.ts";

export interface Fault {
  readonly path: Path;
  readonly text: string;
  /** The file of the setting can't be read. */
  readonly isUnreadable?: boolean;
}

type Schema = z.core.$ZodType;

const segment = (step: PropertyKey, first: boolean): string => {
  if (typeof step === "number") return `[${step}]`;
  const name = String(step);
  const shown = /^[\w.-]+$/.test(name) ? name : JSON.stringify(name);
  return first ? shown : `.${shown}`;
};

/** Formats a path: `auth.accounts[0].username`. */
export const pathText = (path: Path): string => path.map((step, i) => segment(step, i === 0)).join("");

/** Masks the credentials in URLs: user info and query parameters. */
export const withoutUrlCredentials = (text: string): string =>
  maskQueryCredentials(text.replace(/\/\/[^/\s@]*@/g, "//***@"), "***");

/** An invalid URL may have an unencoded / or @ in its password, so everything up to the last @ is masked. */
const withoutUserinfo = (value: string): string => value.replace(/\/\/.*@/s, "//***@");

const cutAfter80 = (value: string): string => (value.length > 80 ? `${value.slice(0, 80)}…` : value);

const kindOf = (value: unknown): string => {
  if (Array.isArray(value)) return "a list";
  if (value === undefined || value === null) return "nothing";
  return (
    { string: "a string", number: "a number", boolean: "a boolean" }[typeof value as string] ?? "an object"
  );
};

const shown = (value: unknown, showable: boolean): string => {
  if (showable && typeof value === "string") {
    return JSON.stringify(withoutUrlCredentials(cutAfter80(withoutUserinfo(value))));
  }
  return showable && (typeof value === "number" || typeof value === "boolean")
    ? String(value)
    : kindOf(value);
};

/** The fault of an invalid value: the given and the allowed values, without the reason of zod. */
const refusal = (root: Schema, tree: unknown, path: Path): Fault => {
  const { value, showable, info } = settingAt(root, tree, path);
  const allowed = info?.allowed ?? "an object";
  return { path, text: `got ${shown(value, showable)}, allowed: ${allowed}` };
};

/** The names that are allowed in a group: its keys, and the `…File` keys of secrets. */
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

/** Removes unknown keys from the tree, so that they don't hide other faults, and returns a fault for each. */
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

/** The issues inside a union: the issues of the first option that accepted the value's type. Other issues stay as they are. */
const leaves = (issue: z.core.$ZodIssue): readonly z.core.$ZodIssue[] => {
  const inside =
    issue.code === "invalid_union"
      ? issue.errors.find((group) => group.some(({ path }) => path.length > 0))
      : undefined;
  return inside?.flatMap((each) => leaves({ ...each, path: [...issue.path, ...each.path] })) ?? [issue];
};

/** Faults of a parse. Rules about several keys have their own messages; other faults use the key's `allowed` text. */
export const faultsOf = (root: Schema, tree: unknown, error: z.ZodError): readonly Fault[] =>
  error.issues
    .flatMap(leaves)
    .map((issue) =>
      issue.code === "custom" && issue.message !== ""
        ? { path: issue.path, text: issue.message }
        : refusal(root, tree, issue.path),
    );

/** True if there is already a fault at this path or below it. */
export const isReported = (path: Path, reported: readonly Fault[]): boolean =>
  reported.some((fault) => path.every((step, index) => fault.path[index] === step));

/** A fault for each entry whose name is the name of an earlier entry. */
export const repeated = (names: readonly string[], pathOf: (index: number) => Path): readonly Fault[] =>
  names.flatMap((name, index) =>
    names.indexOf(name) === index
      ? []
      : [{ path: pathOf(index), text: `got ${JSON.stringify(name)} again, allowed: each name once` }],
  );
