/** CEL's functions. The library runs most of them, each with a bound of its steps. */
import { RE2JS } from "re2js";
import { type Kind, kindOf, nativeFor } from "./library.ts";
import { noOverload, sizeOf } from "./operators.ts";
import { FilterFailure, type Frame, type Run, spend } from "./steps.ts";

/** Functions that search a text for another text. In the worst case they compare the whole text at each character. */
const SEARCHES = new Set(["contains", "indexOf", "lastIndexOf", "split"]);
/** Characters that a search compares in the time of a step. */
const COMPARED_PER_STEP = 64;
/** Steps of a call of the library. */
const CALL_STEPS = 10;
/** Steps of a call that computes with a time zone. */
const ZONE_STEPS = 200;
/** A longer text is no duration. The library reads it with a pattern whose time grows with the third power of the length. */
const MAX_DURATION = 64;

const DURATION_TOO_LONG = new FilterFailure(`a duration has more than ${MAX_DURATION} characters`);

const isZoned = (kinds: readonly Kind[]): boolean =>
  kinds[0] === "google.protobuf.Timestamp" && kinds[1] === "string";

const stepsOf = (name: string, kinds: readonly Kind[], values: readonly unknown[]): number => {
  const sizes = values.map(sizeOf);
  const [text = 0, searched = 0] = sizes;
  const repeated = SEARCHES.has(name) ? text * Math.floor(searched / COMPARED_PER_STEP) : 0;
  const sum = sizes.reduce((total, size) => total + size, 0);
  return CALL_STEPS + sum + repeated + (isZoned(kinds) ? ZONE_STEPS : 0);
};

const size = (frame: Frame, value: unknown): unknown => {
  if (Array.isArray(value)) return BigInt(value.length);
  if (kindOf(value) !== "map") return undefined;
  const { length } = Object.keys(value as object);
  spend(frame, length);
  return BigInt(length);
};

const join = (frame: Frame, list: unknown, separator: unknown): unknown => {
  if (!Array.isArray(list) || typeof separator !== "string") return undefined;
  for (const element of list) {
    if (typeof element !== "string") throw noOverload("join");
    spend(frame, element.length + separator.length);
  }
  return list.join(separator);
};

/** Functions of lists and maps, which the library would have to look through. undefined: the values have other kinds. */
const ofContainers = (frame: Frame, name: string, values: readonly unknown[]): unknown => {
  if (name === "size") return size(frame, values[0]);
  if (name === "join") return join(frame, values[0], values[1] ?? "");
  return name === "dyn" ? values[0] : undefined;
};

/** A call as CEL writes it: `v0.name(v1)` or `name(v0)`. */
const callOf =
  (name: string, isMethod: boolean) =>
  ([first = "", ...others]: readonly string[]): string =>
    isMethod ? `${first}.${name}(${others.join()})` : `${name}(${[first, ...others].join()})`;

/** What the library does for these functions, without its cost. */
const TEXT_TESTS: ReadonlyMap<string, (text: string, part: string) => boolean> = new Map<
  string,
  (text: string, part: string) => boolean
>([
  ["startsWith", (text, part) => text.startsWith(part)],
  ["endsWith", (text, part) => text.endsWith(part)],
  ["contains", (text, part) => text.includes(part)],
]);

const compileTextTest = (name: string, [text, part]: readonly Run[], otherwise: Run): Run => {
  const test = TEXT_TESTS.get(name);
  if (test === undefined || text === undefined || part === undefined) return otherwise;
  return (frame) => {
    const [value, wanted] = [text(frame), part(frame)];
    if (typeof value !== "string" || typeof wanted !== "string") throw noOverload(name);
    spend(frame, stepsOf(name, [], [value, wanted]));
    return test(value, wanted);
  };
};

/** `args` begin with the receiver if the function is a method. */
export const compileCall = (name: string, isMethod: boolean, args: readonly Run[]): Run => {
  const write = callOf(name, isMethod);
  const key = isMethod ? `.${name}` : name;
  const byLibrary: Run = (frame) => {
    const values = args.map((run) => run(frame));
    const known = ofContainers(frame, name, values);
    if (known !== undefined) return known;
    const kinds = values.map(kindOf);
    const native = nativeFor(key, kinds, write);
    if (native === undefined) throw noOverload(name);
    spend(frame, stepsOf(name, kinds, values));
    if (name === "duration" && sizeOf(values[0]) > MAX_DURATION) throw DURATION_TOO_LONG;
    return native(values);
  };
  return isMethod ? compileTextTest(name, args, byLibrary) : byLibrary;
};

/** Instructions of a pattern that RE2 follows in the time of a step. */
const INSTRUCTIONS_PER_STEP = 10;

/** Throws an error of RE2 if the pattern isn't one. */
export const compileMatch = (text: Run, pattern: string): { readonly run: Run; readonly size: number } => {
  const compiled = RE2JS.compile(pattern);
  const instructions = compiled.programSize();
  const perCharacter = Math.max(1, instructions / INSTRUCTIONS_PER_STEP);
  return {
    size: instructions,
    run: (frame) => {
      const value = text(frame);
      if (typeof value !== "string") throw noOverload("matches");
      spend(frame, CALL_STEPS + value.length * perCharacter);
      return compiled.test(value);
    },
  };
};
