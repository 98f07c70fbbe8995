/** The scalar types of Protobuf, in JSON and on the wire. */
import { isUtf8 } from "node:buffer";
import { numberOf, wholeOf } from "./json-numbers.ts";
import type { JsonInput } from "./json-input.ts";
import { FIXED_32, FIXED_64, LENGTH, VARINT, type WireInput, type WireOutput } from "./wire.ts";

/** 64-bit integers are bigint; enums are numbers. */
export type ScalarValue = number | bigint | boolean | string | Buffer;

export interface Scalar {
  readonly name: string;
  readonly wireType: number;
  /** Throws DataRefused. */
  fromJson(value: unknown, input: JsonInput): ScalarValue;
  toJson(value: ScalarValue): string;
  write(value: ScalarValue, out: WireOutput): void;
  /** Throws Undecodable. */
  read(wire: WireInput): ScalarValue;
}

/** A scalar whose values have the type T. */
const scalar = <T extends ScalarValue>(own: {
  readonly name: string;
  readonly wireType: number;
  fromJson(value: unknown, input: JsonInput): T;
  toJson(value: T): string;
  write(value: T, out: WireOutput): void;
  read(wire: WireInput): T;
}): Scalar => own;

type Int = Parameters<typeof scalar<number>>[0];

const int32 = (
  name: string,
  min: number,
  max: number,
  wire: Pick<Int, "wireType" | "write" | "read">,
): Scalar =>
  scalar<number>({
    name,
    fromJson: (value, input) =>
      typeof value === "number" && Number.isInteger(value) && value >= min && value <= max
        ? value + 0
        : Number(wholeOf(value, { name, min: BigInt(min), max: BigInt(max) }, input)),
    toJson: String,
    ...wire,
  });

type Long = Parameters<typeof scalar<bigint>>[0];

const int64 = (name: string, signed: boolean, wire: Pick<Long, "wireType" | "write" | "read">): Scalar => {
  const range = signed
    ? { name, min: -(2n ** 63n), max: 2n ** 63n - 1n }
    : { name, min: 0n, max: 2n ** 64n - 1n };
  return scalar<bigint>({
    name,
    fromJson: (value, input) => wholeOf(value, range, input),
    toJson: (value) => `"${String(value)}"`,
    ...wire,
  });
};

const MIN = -(2 ** 31);
const MAX = 2 ** 31 - 1;
const UNSIGNED_MAX = 2 ** 32 - 1;

const zigzag64 = (value: bigint): bigint => (value << 1n) ^ (value >> 63n);

const INTEGERS: readonly Scalar[] = [
  int32("int32", MIN, MAX, {
    wireType: VARINT,
    write: (value, out) => {
      if (value < 0) out.varint64(BigInt(value));
      else out.varint(value);
    },
    read: (wire) => wire.varint() | 0,
  }),
  int32("uint32", 0, UNSIGNED_MAX, {
    wireType: VARINT,
    write: (value, out) => {
      out.varint(value);
    },
    read: (wire) => wire.varint(),
  }),
  int32("sint32", MIN, MAX, {
    wireType: VARINT,
    write: (value, out) => {
      out.varint((value << 1) ^ (value >> 31));
    },
    read: (wire) => {
      const value = wire.varint();
      return (value >>> 1) ^ -(value & 1);
    },
  }),
  int32("fixed32", 0, UNSIGNED_MAX, {
    wireType: FIXED_32,
    write: (value, out) => {
      out.fixed32(value);
    },
    read: (wire) => wire.bytes.readUInt32LE(wire.take(4)),
  }),
  int32("sfixed32", MIN, MAX, {
    wireType: FIXED_32,
    write: (value, out) => {
      out.fixed32(value);
    },
    read: (wire) => wire.bytes.readInt32LE(wire.take(4)),
  }),
  ...(["int64", "uint64"] as const).map((name) =>
    int64(name, name === "int64", {
      wireType: VARINT,
      write: (value, out) => {
        out.varint64(value);
      },
      read: (wire) => (name === "int64" ? BigInt.asIntN(64, wire.varint64()) : wire.varint64()),
    }),
  ),
  int64("sint64", true, {
    wireType: VARINT,
    write: (value, out) => {
      out.varint64(zigzag64(value));
    },
    read: (wire) => {
      const value = wire.varint64();
      return (value >> 1n) ^ -(value & 1n);
    },
  }),
  ...(["fixed64", "sfixed64"] as const).map((name) =>
    int64(name, name === "sfixed64", {
      wireType: FIXED_64,
      write: (value, out) => {
        out.fixed64(value);
      },
      read: (wire) => {
        const first = wire.take(8);
        return name === "sfixed64" ? wire.bytes.readBigInt64LE(first) : wire.bytes.readBigUInt64LE(first);
      },
    }),
  ),
];

/** JSON has no numbers for these values. */
const floatJson = (value: number, text: string): string => {
  if (Number.isFinite(value)) return Object.is(value, -0) ? "-0" : text;
  return `"${String(value)}"`;
};

/** The shortest digits that give the same value of 32 bits. */
const shortest = (value: number): string => {
  for (let digits = 6; digits < 9; digits++) {
    const rounded = Number(value.toPrecision(digits));
    if (Math.fround(rounded) === value) return String(rounded);
  }
  return String(Number(value.toPrecision(9)));
};

const FLOATS: readonly Scalar[] = [
  scalar<number>({
    name: "double",
    wireType: FIXED_64,
    fromJson: (value, input) => numberOf(value, "double", input),
    toJson: (value) => floatJson(value, String(value)),
    write: (value, out) => {
      out.double(value);
    },
    read: (wire) => wire.bytes.readDoubleLE(wire.take(8)),
  }),
  scalar<number>({
    name: "float",
    wireType: FIXED_32,
    fromJson: (value, input) => {
      const number = numberOf(value, "float", input);
      const rounded = Math.fround(number);
      if (Number.isFinite(number) && !Number.isFinite(rounded)) throw input.unfit("float", String(number));
      return rounded;
    },
    toJson: (value) => floatJson(value, shortest(value)),
    write: (value, out) => {
      out.float(value);
    },
    read: (wire) => wire.bytes.readFloatLE(wire.take(4)),
  }),
];

/** Half a surrogate pair. With the flag `u`, whole pairs don't match. */
const HALF_PAIR = /\p{Surrogate}/u;

/** A string that UTF-8 can contain. Throws DataRefused. */
export const stringOf = (value: unknown, input: JsonInput): string => {
  if (typeof value !== "string") throw input.mismatch("string", value);
  if (HALF_PAIR.test(value)) throw input.refuse("the string has half a surrogate pair");
  return value;
};

/** Both alphabets of base64, with or without the padding. */
const BASE64 = /^[A-Za-z0-9+/_-]*={0,2}$/;

const isBase64 = (text: string): boolean => {
  if (!BASE64.test(text)) return false;
  return text.endsWith("=") ? text.length % 4 === 0 : text.length % 4 !== 1;
};

const OTHERS: readonly Scalar[] = [
  scalar<boolean>({
    name: "bool",
    wireType: VARINT,
    fromJson: (value, input) => {
      if (typeof value !== "boolean") throw input.mismatch("bool", value);
      return value;
    },
    toJson: String,
    write: (value, out) => {
      out.varint(value ? 1 : 0);
    },
    read: (wire) => wire.varint64() !== 0n,
  }),
  scalar<string>({
    name: "string",
    wireType: LENGTH,
    fromJson: stringOf,
    toJson: (value) => JSON.stringify(value),
    write: (value, out) => {
      out.string(value);
    },
    read: (wire) => {
      const part = wire.part();
      const text = part.bytes.subarray(part.at, part.end);
      if (!isUtf8(text)) throw wire.fail("a string that is not UTF-8");
      return text.toString();
    },
  }),
  scalar<Buffer>({
    name: "bytes",
    wireType: LENGTH,
    fromJson: (value, input) => {
      if (typeof value !== "string") throw input.mismatch("bytes in base64", value);
      if (!isBase64(value)) throw input.unfit("bytes in base64", value);
      return Buffer.from(value, "base64");
    },
    toJson: (value) => `"${value.toString("base64")}"`,
    write: (value, out) => {
      out.bytesWithLength(value);
    },
    read: (wire) => {
      const part = wire.part();
      return part.bytes.subarray(part.at, part.end);
    },
  }),
];

/** The scalar types by their names. */
export const SCALARS: ReadonlyMap<string, Scalar> = new Map(
  [...INTEGERS, ...FLOATS, ...OTHERS].map((own) => [own.name, own]),
);
