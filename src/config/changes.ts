/** The differences between two settings, as paths without values. */
import type { z } from "zod";
import { ANCHOR_FILE } from "./event-service-sources.ts";
import { type FileReader, mapFiles } from "./files.ts";
import { settingsSchema } from "./schema/schema.ts";
import { groupOf, infoOf, isObject, itemOf } from "./tree.ts";

/** The name of a key, or of a list element. */
interface Step {
  readonly name: string;
  readonly isElement: boolean;
}

/** A place in the settings at which both differ. The path of a new or removed value, and of a new or removed element, ends at it. */
export type Change = readonly Step[];

type Schema = z.core.$ZodType;

const key = (name: string): Step => ({ name, isElement: false });
const element = (name: string): Step => ({ name, isElement: true });

/** The keys that name the elements of lists. */
const ELEMENT_NAMES = ["name", "username", "id", "source", "kid"];

/** The key that names all these elements; undefined: they have no names. */
const elementName = (elements: readonly unknown[]): string | undefined =>
  ELEMENT_NAMES.find((name) => elements.every((one) => isObject(one) && typeof one[name] === "string"));

export const nameOfElement = (one: unknown, list: readonly unknown[]): string | undefined => {
  const name = elementName(list);
  return name === undefined || !isObject(one) ? undefined : String(one[name]);
};

/** Compares plain data. A key whose value is undefined counts as absent. */
const isSame = (one: unknown, other: unknown): boolean => {
  if (Array.isArray(one) && Array.isArray(other))
    return one.length === other.length && one.every((value, index) => isSame(value, other[index]));
  if (!isObject(one) || !isObject(other)) return Object.is(one, other);
  return namesOf(one, other).every((name) => isSame(one[name], other[name]));
};

const namesOf = (one: object, other: object): readonly string[] => [
  ...new Set([...Object.keys(one), ...Object.keys(other)]),
];

/** The place of a change in the path that the schema has, for the table of decisions: `stations[].schema`. */
export const patternOf = (change: Change): string =>
  change.map(({ name, isElement }, index) => (isElement ? "[]" : index === 0 ? name : `.${name}`)).join("");

const shown = (name: string): string => (/^[^\s[\]"]+$/.test(name) ? name : JSON.stringify(name));

/** The path for people: `stations[orders].schema`. */
export const textOf = (change: Change): string =>
  change
    .map(({ name, isElement }, index) => (isElement ? `[${shown(name)}]` : index === 0 ? name : `.${name}`))
    .join("");

const grouped = (list: readonly unknown[], name: string): ReadonlyMap<string, readonly unknown[]> => {
  const groups = new Map<string, unknown[]>();
  for (const one of list) {
    const id = String((one as Record<string, unknown>)[name]);
    const group = groups.get(id);
    if (group === undefined) groups.set(id, [one]);
    else group.push(one);
  }
  return groups;
};

type Lists = readonly [before: readonly unknown[], after: readonly unknown[]];

/** Elements with one name (such as two API keys during a rotation) count as one. */
const inList = ([before, after]: Lists, item: Schema | undefined, at: Change): readonly Change[] => {
  const name = elementName([...before, ...after]);
  if (name === undefined) return [at];
  const [old, young] = [grouped(before, name), grouped(after, name)];
  const changes = [...new Set([...old.keys(), ...young.keys()])].flatMap((id) => {
    const [ones, others] = [old.get(id) ?? [], young.get(id) ?? []];
    const place = [...at, element(id)];
    if (ones.length === 1 && others.length === 1) return inGroup(ones[0], others[0], item, place);
    return isSame(ones, others) ? [] : [place];
  });
  // Only the order of the elements differs.
  return changes.length === 0 ? [at] : changes;
};

const inGroup = (
  before: unknown,
  after: unknown,
  schema: Schema | undefined,
  at: Change,
): readonly Change[] => {
  if (isSame(before, after)) return [];
  if (!isObject(before) || !isObject(after)) return [at];
  const groups = [after, before].map((value) => schema && groupOf(schema, value));
  return namesOf(before, after).flatMap((name) => {
    const inner = groups.find((group) => group !== undefined && Object.hasOwn(group, name))?.[name];
    return between(before[name], after[name], inner, [...at, key(name)]);
  });
};

const asList = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : []);

/** A key of the settings is compared as a whole; sections and lists are compared by their parts. */
const between = (
  before: unknown,
  after: unknown,
  schema: Schema | undefined,
  at: Change,
): readonly Change[] => {
  if (isSame(before, after)) return [];
  // A list that isn't set has no elements.
  if (Array.isArray(before ?? []) && Array.isArray(after ?? []))
    return inList([asList(before), asList(after)], schema && itemOf(schema), at);
  const isKey = schema === undefined || infoOf(schema) !== undefined;
  return isKey ? [at] : inGroup(before, after, schema, at);
};

/**
 * The settings in a form that also differs if the content of a named file differs. The settings contain the content of
 * `eventService.file`, whose other sections don't count.
 */
export const comparable = (settings: unknown, { identityOf }: Pick<FileReader, "identityOf">): unknown =>
  mapFiles(settings, (file, path) => (isSame(path, ANCHOR_FILE) ? file : identityOf(file)));

/** All differences between two results of `comparable`, in the order of the settings. */
export const changesOf = (before: unknown, after: unknown): readonly Change[] =>
  inGroup(before, after, settingsSchema, []);
