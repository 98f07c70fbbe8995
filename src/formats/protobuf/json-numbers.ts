/** Numbers of proto3 JSON: JSON numbers, and strings that contain a number. */
import { Digits, exactNumber, integerOf } from "../digits.ts";
import type { JsonInput } from "./json-input.ts";

interface IntegerRange {
  readonly name: string;
  readonly min: bigint;
  readonly max: bigint;
}

/** A JSON number. `LONGEST` limits the length of a string before the pattern reads it, so that one value takes little time. */
const NUMBER = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/;
const LONGEST = 1_000;
/** A number of 64 bits has at most 20 digits. */
const MAX_DIGITS = 20;

/**
 * The text of a number. A number with more than 15 digits is a `Digits`. Any other number is a double with at most 15 digits,
 * for which `String` returns the digits of the source.
 */
const numberText = (value: unknown, name: string, input: JsonInput): string => {
  if (value instanceof Digits) return value.text;
  if (typeof value === "number") return String(value);
  if (typeof value !== "string") throw input.mismatch(name, value);
  if (value.length > LONGEST || !NUMBER.test(value)) throw input.unfit(name, value);
  return value;
};

/** A whole number with its exact value, also if it is written with a point or an exponent. Throws DataRefused. */
export const wholeOf = (value: unknown, { name, min, max }: IntegerRange, input: JsonInput): bigint => {
  const text = numberText(value, name, input);
  if (text === "Infinity" || text === "-Infinity")
    throw input.refuse(`the number is out of the range of ${name}`);
  const exact = exactNumber(text);
  const zeros = exact.digits === "" ? 0 : exact.exponent;
  if (zeros < 0) throw input.unfit(`${name}, a whole number`, text);
  if (exact.digits.length + zeros > MAX_DIGITS)
    throw input.refuse(`the number is out of the range of ${name}`);
  const whole = integerOf(exact, zeros);
  if (whole < min || whole > max) throw input.refuse(`${whole} is out of the range of ${name}`);
  return whole;
};

const NOT_FINITE: ReadonlyMap<unknown, number> = new Map([
  ["NaN", NaN],
  ["Infinity", Infinity],
  ["-Infinity", -Infinity],
]);

/** A double. Throws DataRefused, also for a number that is too large for a double. */
export const numberOf = (value: unknown, name: string, input: JsonInput): number => {
  const special = NOT_FINITE.get(value);
  if (special !== undefined) return special;
  const number = typeof value === "number" ? value : Number(numberText(value, name, input));
  if (!Number.isFinite(number)) throw input.refuse(`the number is out of the range of ${name}`);
  return number;
};
