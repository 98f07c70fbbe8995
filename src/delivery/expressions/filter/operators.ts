/** CEL's operators, for values whose kinds are known only at run time. */
import { type Kind, kindOf, nativeFor } from "./library.ts";
import { FilterFailure, type Frame, spend } from "./steps.ts";

const NUMBERS: ReadonlySet<Kind> = new Set<Kind>(["int", "uint", "double"]);

type Members = Readonly<Record<string, unknown>>;

const isList = Array.isArray as (value: unknown) => value is readonly unknown[];

const equalLists = (frame: Frame, left: readonly unknown[], right: readonly unknown[]): boolean =>
  left.length === right.length && left.every((value, index) => equal(frame, value, right[index]));

const equalMaps = (frame: Frame, left: Members, right: Members): boolean => {
  const names = Object.keys(left);
  spend(frame, names.length);
  return (
    names.length === Object.keys(right).length &&
    names.every((name) => Object.hasOwn(right, name) && equal(frame, left[name], right[name]))
  );
};

/** Numbers of different types are equal if their values are. Other values of different types are unequal. */
const equal = (frame: Frame, left: unknown, right: unknown): boolean => {
  spend(frame, 1);
  if (typeof left === "string" && typeof right === "string") {
    if (left.length === right.length) spend(frame, left.length);
    return left === right;
  }
  if (left === right) return true;
  const [one, other] = [kindOf(left), kindOf(right)];
  // 1 and 1n are equal, and so is an unsigned 1.
  if (NUMBERS.has(one) && NUMBERS.has(other)) return valueOf(left) == valueOf(right);
  if (one !== other) return false;
  if (one === "list") return equalLists(frame, left as readonly unknown[], right as readonly unknown[]);
  if (one === "map") return equalMaps(frame, left as Members, right as Members);
  return one !== "null" && native(frame, "==", [left, right]) === true;
};

/** A number, also of an unsigned integer. */
const valueOf = (value: unknown): unknown =>
  typeof value === "object" && value !== null ? value.valueOf() : value;

/** The size of a value without parts. */
export const sizeOf = (value: unknown): number =>
  typeof value === "string" || value instanceof Uint8Array ? value.length : 1;

const native = (frame: Frame, operator: string, values: readonly unknown[]): unknown => {
  const kinds = values.map(kindOf);
  for (const value of values) spend(frame, sizeOf(value));
  const run = nativeFor(operator, kinds, ([left = "", right = ""]) => `${left} ${operator} ${right}`);
  if (run === undefined) throw noOverload(operator);
  return run(values);
};

const failures = new Map<string, FilterFailure>();

/** The names are those of operators and of functions, which are few. */
export const noOverload = (name: string): FilterFailure => {
  const known = failures.get(name) ?? new FilterFailure(`${name} can't be used with values of these types`);
  failures.set(name, known);
  return known;
};

/** The name of a member. undefined: the value is no name. */
export const nameOf = (value: unknown): string | undefined => {
  if (typeof value === "string") return value;
  return typeof value === "number" || typeof value === "bigint" || typeof value === "boolean"
    ? String(value)
    : undefined;
};

/** Whether `value` is an element of the list, or a member's name of the map. */
const isIn = (frame: Frame, value: unknown, container: unknown): boolean => {
  if (isList(container)) return container.some((element) => equal(frame, value, element));
  if (kindOf(container) !== "map") throw noOverload("in");
  const name = nameOf(value);
  return name !== undefined && Object.hasOwn(container as Members, name);
};

const add = (frame: Frame, left: unknown, right: unknown): unknown => {
  if (typeof left === "number" && typeof right === "number") return left + right;
  if (!isList(left) || !isList(right)) return native(frame, "+", [left, right]);
  spend(frame, left.length + right.length);
  return [...left, ...right];
};

const textOrder = (frame: Frame, left: string, right: string): number => {
  spend(frame, Math.min(left.length, right.length));
  if (left === right) return 0;
  return left < right ? -1 : 1;
};

/** Less than 0: `left` comes first. undefined: the library has to compare the values. */
const fastOrder = (frame: Frame, left: unknown, right: unknown): number | undefined => {
  if (typeof left === "string" && typeof right === "string") return textOrder(frame, left, right);
  if (left instanceof Date && right instanceof Date) return left.getTime() - right.getTime();
  const isNumber = typeof left === "number" || typeof left === "bigint";
  if (!isNumber || (typeof right !== "number" && typeof right !== "bigint")) return undefined;
  if (left < right) return -1;
  if (left > right) return 1;
  // NaN has no order.
  return left >= right ? 0 : NaN;
};

type Operator = (frame: Frame, left: unknown, right: unknown) => unknown;

const comparison =
  (operator: string, holds: (order: number) => boolean): Operator =>
  (frame, left, right) => {
    const order = fastOrder(frame, left, right);
    return order === undefined ? native(frame, operator, [left, right]) : holds(order);
  };

const arithmetic =
  (operator: string): Operator =>
  (frame, left, right) =>
    native(frame, operator, [left, right]);

export const OPERATORS: ReadonlyMap<string, Operator> = new Map<string, Operator>([
  ["==", equal],
  ["!=", (frame, left, right) => !equal(frame, left, right)],
  ["in", isIn],
  ["+", add],
  ["-", arithmetic("-")],
  ["*", arithmetic("*")],
  ["/", arithmetic("/")],
  ["%", arithmetic("%")],
  ["<", comparison("<", (order) => order < 0)],
  ["<=", comparison("<=", (order) => order <= 0)],
  [">", comparison(">", (order) => order > 0)],
  [">=", comparison(">=", (order) => order >= 0)],
]);

/** `-` of a number. */
export const negative = (value: unknown): unknown => {
  if (typeof value === "number") return -value;
  if (typeof value !== "bigint") throw noOverload("-");
  return -value;
};
