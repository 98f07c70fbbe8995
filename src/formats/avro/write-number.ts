/** Writers of the numbers. The digits of the source decide, never a rounded number. */
import { Digits, exactNumber, integerOf } from "../digits.ts";
import { type AvroOutput, EXACT } from "./output.ts";
import { mismatch, type Write } from "./write.ts";

/** The digits of a number; undefined: the value is no number. A double of at most 15 digits prints as it was sent. */
export const numberText = (value: unknown): string | undefined => {
  if (typeof value === "number") return String(value);
  return value instanceof Digits ? value.text : undefined;
};

/** 2^63 has 19 digits. */
const MOST_DIGITS = 19;

/** The integer of `bits` bits, or the reason why the value is not such an integer. */
const wholeOf = (text: string, bits: 32 | 64): bigint | string => {
  if (text.endsWith("Infinity")) return "out of range";
  const number = exactNumber(text);
  if (number.digits === "") return 0n;
  if (number.exponent < 0) return "with a fraction";
  if (number.digits.length + number.exponent > MOST_DIGITS) return "out of range";
  const whole = integerOf(number, number.exponent);
  return BigInt.asIntN(bits, whole) === whole ? whole : "out of range";
};

const writeWhole = (value: unknown, output: AvroOutput, bits: 32 | 64): boolean => {
  const type = bits === 32 ? "int" : "long";
  const text = numberText(value);
  if (text === undefined) return mismatch(output, type, value);
  const whole = wholeOf(text, bits);
  if (typeof whole === "string") return output.refuse(`expected ${type}, but got a number ${whole}`);
  output.bigLong(whole);
  return true;
};

export const intWriter: Write = (value, output) => {
  if (typeof value !== "number" || (value | 0) !== value) return writeWhole(value, output, 32);
  output.int(value);
  return true;
};

export const longWriter: Write = (value, output) => {
  const isPlain = typeof value === "number" && Number.isInteger(value) && value > -EXACT && value < EXACT;
  if (!isPlain) return writeWhole(value, output, 64);
  output.long(value);
  return true;
};

const NOT_FINITE: ReadonlyMap<unknown, number> = new Map([
  ["NaN", NaN],
  ["Infinity", Infinity],
  ["-Infinity", -Infinity],
]);

/** The double of a number or of one of the three strings; undefined: the value is neither. */
const doubleOf = (value: unknown): number | undefined => {
  if (typeof value === "number") return value;
  return value instanceof Digits ? Number(value.text) : undefined;
};

export const doubleWriter: Write = (value, output) => {
  const double = doubleOf(value);
  if (double !== undefined && !Number.isFinite(double)) {
    return output.refuse("expected double, but got a number out of range");
  }
  const written = double ?? NOT_FINITE.get(value);
  if (written === undefined) return mismatch(output, "double", value);
  output.double(written);
  return true;
};

export const floatWriter: Write = (value, output) => {
  const double = doubleOf(value);
  if (double !== undefined && !Number.isFinite(Math.fround(double))) {
    return output.refuse("expected float, but got a number out of range");
  }
  const written = double ?? NOT_FINITE.get(value);
  if (written === undefined) return mismatch(output, "float", value);
  output.float(written);
  return true;
};
