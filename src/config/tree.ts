/** Walks the schema of the settings together with a value, without knowing any key by name. */
import { z } from "zod";
import { keyInfo, type KeyInfo } from "./keys.ts";

export type Path = readonly PropertyKey[];
type Schema = z.core.$ZodType;
type Group = Readonly<Record<string, Schema>>;

export const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** The schema and its wrapped schemas, outermost first. */
const layers = (schema: Schema): readonly Schema[] => {
  if (schema instanceof z.ZodOptional || schema instanceof z.ZodPrefault) {
    return [schema, ...layers(schema.unwrap())];
  }
  return schema instanceof z.ZodPipe ? [schema, ...layers(schema.in)] : [schema];
};

/** The schema of the input, without defaults, optionality and transformations. */
export const core = (schema: Schema): Schema => layers(schema).at(-1) ?? schema;

export const infoOf = (schema: Schema): KeyInfo | undefined => layers(schema).map(keyInfo).find(Boolean);

/** The default in the notation of a settings file. */
export const defaultOf = (schema: Schema): unknown => {
  const layer = layers(schema).find((candidate) => candidate instanceof z.ZodPrefault);
  return layer?.def.defaultValue;
};

const fits = (option: z.ZodObject, value: Readonly<Record<string, unknown>>): boolean =>
  Object.entries(option.shape).every(
    ([name, schema]) => !(schema instanceof z.ZodLiteral) || (schema.values as Set<unknown>).has(value[name]),
  );

/** The keys of a group. For a union: the keys of the option that the value selects, or all keys if it selects none. */
export const groupOf = (schema: Schema, value: unknown): Group | undefined => {
  const bare = core(schema);
  if (bare instanceof z.ZodObject) return bare.shape;
  if (!(bare instanceof z.ZodUnion)) return undefined;
  const groups = bare.options.filter((option) => option instanceof z.ZodObject);
  if (groups.length === 0) return undefined;
  const chosen = isObject(value) ? groups.find((group) => fits(group, value)) : undefined;
  return chosen?.shape ?? (Object.assign({}, ...groups.map((group) => group.shape)) as Group);
};

/** True if the group accepts unknown keys. */
export const isOpen = (schema: Schema): boolean => {
  const bare = core(schema);
  return bare instanceof z.ZodObject && !(bare.def.catchall instanceof z.ZodNever);
};

export const itemOf = (schema: Schema): Schema | undefined => {
  const bare = core(schema);
  return bare instanceof z.ZodArray ? bare.element : undefined;
};

/** What the schema and the value have at a path. */
export interface SettingLocation {
  readonly schema: Schema | undefined;
  /** Metadata of the key, or of the nearest key above it. */
  readonly info: KeyInfo | undefined;
  /** True if the value may be shown. False for secrets, groups and unknown paths. */
  readonly showable: boolean;
  readonly value: unknown;
}

const child = (schema: Schema | undefined, value: unknown, step: PropertyKey): Schema | undefined => {
  if (schema === undefined) return undefined;
  return typeof step === "number" ? itemOf(schema) : groupOf(schema, value)?.[String(step)];
};

/** Looks up a path in the schema and in the value. */
export const settingAt = (root: Schema, tree: unknown, path: Path): SettingLocation => {
  let schema: Schema | undefined = root;
  let value = tree;
  let info: KeyInfo | undefined;
  let secret = false;
  for (const step of path) {
    schema = child(schema, value, step);
    value = (value as Readonly<Record<PropertyKey, unknown>> | null | undefined)?.[step];
    info = (schema && infoOf(schema)) ?? info;
    secret ||= info?.secret === true;
  }
  const grouped = schema !== undefined && groupOf(itemOf(schema) ?? schema, value) !== undefined;
  return { schema, info, value, showable: schema !== undefined && !secret && !grouped };
};

/** Returns the new value of a known key. */
export type Change = (value: unknown, schema: Schema, path: Path) => unknown;

/** A copy of the tree in which `change` has replaced each known value, innermost values first. */
export const mapTree = (schema: Schema, tree: unknown, change: Change, path: Path = []): unknown => {
  const item = itemOf(schema);
  if (item !== undefined && Array.isArray(tree)) {
    const entries = tree.map((entry, index) => mapTree(item, entry, change, [...path, index]));
    return change(entries, schema, path);
  }
  const group = isObject(tree) ? groupOf(schema, tree) : undefined;
  if (group === undefined || !isObject(tree)) return change(tree, schema, path);
  const entries = Object.entries(tree).map(([name, value]) => {
    const known = Object.hasOwn(group, name) ? group[name] : undefined;
    return [name, known === undefined ? value : mapTree(known, value, change, [...path, name])] as const;
  });
  return change(Object.fromEntries(entries), schema, path);
};

/** Merges two trees. Groups are merged; other values of the second tree replace those of the first. */
export const overlay = (under: unknown, over: unknown): unknown => {
  if (!isObject(under) || !isObject(over)) return over ?? under;
  const names = new Set([...Object.keys(under), ...Object.keys(over)]);
  const own = (tree: Readonly<Record<string, unknown>>, name: string) =>
    Object.hasOwn(tree, name) ? tree[name] : undefined;
  return Object.fromEntries([...names].map((name) => [name, overlay(own(under, name), own(over, name))]));
};

/** A copy of the tree with a new value at the path. */
export const replaced = (tree: unknown, path: Path, value: unknown): unknown => {
  const [step, ...rest] = path;
  if (step === undefined) return value;
  if (typeof step === "number") {
    return (Array.isArray(tree) ? tree : []).map((entry: unknown, index) =>
      index === step ? replaced(entry, rest, value) : entry,
    );
  }
  const group = isObject(tree) ? tree : {};
  const name = String(step);
  return { ...group, [name]: replaced(Object.hasOwn(group, name) ? group[name] : undefined, rest, value) };
};
