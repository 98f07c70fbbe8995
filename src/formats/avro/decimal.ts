/** The logical type decimal: an integer in two's complement, `scale` digits of which are after the decimal point. */
import { type ExactNumber, integerOf } from "../digits.ts";

export interface Decimal {
  readonly precision: number;
  readonly scale: number;
}

/** Maximum precision. Converting a number to its digits takes time that grows faster than its length. */
export const MAX_PRECISION = 500;
/** Maximum size of a decimal that is read as a number. 500 digits fit; 4 MiB of such decimals take 0.3 s. */
export const MAX_DECIMAL_BYTES = 256;

const isCount = (value: unknown, least: number): value is number =>
  typeof value === "number" && Number.isInteger(value) && value >= least;

/**
 * The decimal of a type's attributes. As Avro wants it, attributes that are no valid decimal are ignored: the type is then
 * the underlying bytes. `size`: of a fixed.
 */
export const decimalOf = (schema: Readonly<Record<string, unknown>>, size?: number): Decimal | undefined => {
  const { logicalType, precision, scale = 0 } = schema;
  if (logicalType !== "decimal" || !isCount(precision, 1) || !isCount(scale, 0)) return undefined;
  if (scale > precision || (size !== undefined && precision > digitsOf(size))) return undefined;
  return { precision, scale };
};

/** The digits that every number of a fixed's bytes has room for. */
const digitsOf = (size: number): number => Math.floor(Math.log10(2) * (8 * size - 1));

/** The decimal's integer, or the reason why the number does not fit. */
export const unscaled = (number: ExactNumber, { precision, scale }: Decimal): bigint | string => {
  if (number.digits === "") return 0n;
  const zeros = number.exponent + scale;
  if (zeros < 0) return `has more than ${scale} digits after the decimal point`;
  if (number.digits.length + zeros > precision) return `has more than ${precision} digits`;
  return integerOf(number, zeros);
};

/** The fewest bytes that hold the integer in two's complement, at least one; as Java's BigInteger. */
export const bytesOf = (integer: bigint): number => {
  const magnitude = integer < 0n ? ~integer : integer;
  const hex = magnitude.toString(16);
  const bits = (hex.length - 1) * 4 + (32 - Math.clz32(Number.parseInt(hex.charAt(0), 16)));
  return (bits >> 3) + 1;
};

/** Writes the integer big-endian into `size` bytes, which hold it. */
export const writeInteger = (integer: bigint, bytes: Buffer, at: number, size: number): void => {
  const hex = BigInt.asUintN(size * 8, integer).toString(16);
  bytes.write(hex.padStart(size * 2, "0"), at, "hex");
};

/** The number with all digits of its scale, such as -4.80. No bytes are 0. */
export const decimalText = (bytes: Buffer, scale: number): string => {
  const integer =
    bytes.length === 0 ? 0n : BigInt.asIntN(bytes.length * 8, BigInt(`0x${bytes.toString("hex")}`));
  const sign = integer < 0n ? "-" : "";
  const digits = (integer < 0n ? -integer : integer).toString().padStart(scale + 1, "0");
  if (scale === 0) return sign + digits;
  return `${sign}${digits.slice(0, -scale)}.${digits.slice(-scale)}`;
};
