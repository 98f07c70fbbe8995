/** Writers of bytes and fixed: a string whose characters are the bytes, or the number of a decimal. */
import { type Decimal, unscaled } from "./decimal.ts";
import { exactNumber } from "../digits.ts";
import type { AvroOutput } from "./output.ts";
import type { FixedType } from "./types.ts";
import { mismatch, type Write } from "./write.ts";
import { numberText } from "./write-number.ts";

const BEYOND = "has a character beyond U+00FF";

const bytesWriter: Write = (value, output) => {
  if (typeof value !== "string") return mismatch(output, "bytes", value);
  output.int(value.length);
  return output.latin1(value) || output.refuse(`the string of the bytes ${BEYOND}`);
};

const fixedWriter =
  ({ name, size }: FixedType): Write =>
  (value, output) => {
    if (typeof value !== "string") return mismatch(output, name, value);
    if (value.length !== size) {
      return output.refuse(`expected ${name} of ${size} bytes, but got ${value.length} characters`);
    }
    return output.latin1(value) || output.refuse(`the string of ${name} ${BEYOND}`);
  };

export const writeDecimal = (text: string, output: AvroOutput, decimal: Decimal, size?: number): boolean => {
  if (text.endsWith("Infinity")) return output.refuse("the decimal is out of range");
  const integer = unscaled(exactNumber(text), decimal);
  if (typeof integer === "string") return output.refuse(`the decimal ${integer}`);
  output.integer(integer, size);
  return true;
};

/** The writer of bytes or of a fixed, with its decimal. */
export const bytesOrFixedWriter = (decimal: Decimal | undefined, fixed?: FixedType): Write => {
  const write = fixed === undefined ? bytesWriter : fixedWriter(fixed);
  if (decimal === undefined) return write;
  return (value, output) => {
    const text = numberText(value);
    return text === undefined ? write(value, output) : writeDecimal(text, output, decimal, fixed?.size);
  };
};
