/** Numbers of a JSON text: the ones that a double keeps, and integers of 64 bits. */
import type { AvroOutput } from "../output.ts";
import type { Direct, JsonInput } from "./input.ts";

const MINUS = 0x2d;
const PLUS = 0x2b;
const POINT = 0x2e;
const ZERO = 0x30;
const SMALL_E = 0x65;

/** A double keeps every number of at most this number of digits. */
const EXACT_DIGITS = 15;
/** 2^63 has 19 digits. */
const MOST_DIGITS = 19;
/** Dividing by these powers of ten rounds once, because a double keeps them: the result is what JSON.parse returns. */
const POWERS = Array.from({ length: 23 }, (_, exponent) => Number(`1e${exponent}`));

const isDigit = (byte: number): boolean => byte >= ZERO && byte <= ZERO + 9;

/** The parts of the number that `readNumber` has read last. */
class NumberParts {
  isNegative = false;
  /** The digits as an integer; exact up to 15 digits. */
  mantissa = 0;
  /** Number of digits, with zeros. */
  digits = 0;
  /** Number of digits behind the point. */
  fraction = 0;
  isWhole = true;
  hasExponent = false;
  /** Offset of the first character. */
  start = 0;
}

const parts = new NumberParts();

/** Reads digits from `at` on; returns the offset behind them. */
const readDigits = (bytes: Buffer, from: number): number => {
  let at = from;
  let { mantissa } = parts;
  while (at < bytes.length) {
    const byte = bytes[at] ?? 0;
    if (!isDigit(byte)) break;
    mantissa = mantissa * 10 + (byte - ZERO);
    at++;
  }
  parts.mantissa = mantissa;
  parts.digits += at - from;
  return at;
};

const passDigits = (bytes: Buffer, from: number): number => {
  let at = from;
  while (at < bytes.length && isDigit(bytes[at] ?? 0)) at++;
  return at;
};

/** Passes the number at `input.at`; `parts` describes it. false: there is no number of JSON's grammar. */
export const readNumber = (input: JsonInput): boolean => {
  input.next();
  const { bytes, at: start } = input;
  parts.start = start;
  parts.mantissa = 0;
  parts.digits = 0;
  parts.fraction = 0;
  parts.isNegative = bytes[start] === MINUS;
  const first = parts.isNegative ? start + 1 : start;
  let at = readDigits(bytes, first);
  if (at === first || (bytes[first] === ZERO && at > first + 1)) return false;
  parts.isWhole = bytes[at] !== POINT;
  if (!parts.isWhole) {
    const point = at;
    at = readDigits(bytes, point + 1);
    parts.fraction = at - point - 1;
    if (parts.fraction === 0) return false;
  }
  parts.hasExponent = ((bytes[at] ?? 0) | 0x20) === SMALL_E;
  if (parts.hasExponent) {
    const sign = bytes[at + 1];
    const digits = sign === PLUS || sign === MINUS ? at + 2 : at + 1;
    at = passDigits(bytes, digits);
    if (at === digits) return false;
    parts.isWhole = false;
  }
  input.at = at;
  return true;
};

/** The source text of the number that `readNumber` has read last. */
export const numberSource = ({ bytes, at }: JsonInput): string => bytes.toString("latin1", parts.start, at);

const double = (input: JsonInput): number => {
  const { digits, fraction, mantissa, isNegative, hasExponent } = parts;
  if (digits > EXACT_DIGITS || hasExponent) return Number(numberSource(input));
  const size = fraction === 0 ? mantissa : mantissa / (POWERS[fraction] ?? NaN);
  return isNegative ? -size : size;
};

export const directDouble: Direct = (input, output) => {
  if (!readNumber(input)) return false;
  const value = double(input);
  if (!Number.isFinite(value)) return false;
  output.double(value);
  return true;
};

export const directFloat: Direct = (input, output) => {
  if (!readNumber(input)) return false;
  const value = double(input);
  if (!Number.isFinite(Math.fround(value))) return false;
  output.float(value);
  return true;
};

export const directInt: Direct = (input, output) => {
  if (!readNumber(input) || !parts.isWhole || parts.digits > EXACT_DIGITS) return false;
  const value = parts.isNegative ? -parts.mantissa : parts.mantissa;
  if ((value | 0) !== value) return false;
  output.int(value);
  return true;
};

export const directLong: Direct = (input, output) => {
  if (!readNumber(input) || !parts.isWhole) return false;
  if (parts.digits > EXACT_DIGITS) return parts.digits <= MOST_DIGITS && longDigits(input, output);
  output.long(parts.isNegative ? -parts.mantissa : parts.mantissa);
  return true;
};

const LOW_DIGITS = 9;
const BILLION = 1e9;
const TWO_16 = 2 ** 16;
const TWO_31 = 2 ** 31;
const TWO_32 = 2 ** 32;

/** The integer of the digits from `from` to `end`, at most 15 of them. */
const integerAt = (bytes: Buffer, from: number, end: number): number => {
  let integer = 0;
  for (let at = from; at < end; at++) integer = integer * 10 + ((bytes[at] ?? ZERO) - ZERO);
  return integer;
};

/** 16 to 19 digits: `high * 10^9 + low` in two halves of 32 bits. A BigInt would take ten times as long. */
const longDigits = ({ bytes, at }: JsonInput, output: AvroOutput): boolean => {
  const middle = at - LOW_DIGITS;
  const high = integerAt(bytes, at - parts.digits, middle);
  // -2^63 has no positive counterpart, so a negative number is written as the bits of its size less one.
  const low = integerAt(bytes, middle, at) - (parts.isNegative ? 1 : 0);
  const upper = Math.floor(high / TWO_16) * BILLION;
  const lower = (high % TWO_16) * BILLION + low;
  const beyond = Math.floor(lower / TWO_32);
  const sum = (upper % TWO_16) * TWO_16 + (lower - beyond * TWO_32);
  const carry = sum >= TWO_32 ? 1 : 0;
  const upperHalf = Math.floor(upper / TWO_16) + beyond + carry;
  if (upperHalf >= TWO_31) return false;
  output.halves(sum - carry * TWO_32, upperHalf, parts.isNegative);
  return true;
};
