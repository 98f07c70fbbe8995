/** Compiles the types of a schema to one function that reads Avro's binary form and writes JSON, without objects between. */
import { decimalText, MAX_DECIMAL_BYTES } from "./decimal.ts";
import type { AvroInput } from "./input.ts";
import type { JsonOutput } from "./json-output.ts";
import {
  type ArrayType,
  type AvroType,
  type BytesType,
  type EnumType,
  type FixedType,
  isPlain,
  type MapType,
  type PlainKind,
  type RecordType,
  tagOf,
  type UnionType,
} from "./types.ts";

/** Reads one value. Throws Undecodable. */
export type Read = (input: AvroInput, json: JsonOutput) => void;

type ReaderOf = (type: AvroType) => Read;

export const compileReader = (root: AvroType): Read => {
  const records = new Map<AvroType, Read>();
  const readerOf: ReaderOf = (type) => {
    if (type.kind !== "record") return compile(type, readerOf);
    const known = records.get(type);
    if (known !== undefined) return known;
    const fields: FieldReader[] = [];
    const read = recordReader(fields);
    records.set(type, read);
    for (const field of type.fields) {
      const label = Buffer.from(`${fields.length > 0 ? "," : "{"}${JSON.stringify(field.name)}:`);
      fields.push({ label, read: readerOf(field.type) });
    }
    return read;
  };
  return readerOf(root);
};

const readNull: Read = (_, json) => {
  json.ascii("null");
};

const readBoolean: Read = (input, json) => {
  const byte = input.byte();
  if (byte > 1) throw input.fail(`a boolean of byte ${byte}`);
  json.ascii(byte === 1 ? "true" : "false");
};

const readInt: Read = (input, json) => {
  json.ascii(String(input.int()));
};

const readLong: Read = (input, json) => {
  json.ascii(String(input.long()));
};

const readFloat: Read = (input, json) => {
  const value = input.bytes.readFloatLE(input.take(4));
  json.ascii(floatText(value));
};

const readDouble: Read = (input, json) => {
  json.ascii(doubleText(input.bytes.readDoubleLE(input.take(8))));
};

/** Digits that make a float unmistakable are at least 6 and at most 9. */
const FLOAT_DIGITS = [6, 7, 8, 9];

/** The fewest digits that give the same float again. As a double, 0.1 would be 0.10000000149011612. */
const floatText = (value: number): string => {
  const short = FLOAT_DIGITS.map((digits) => Number(value.toPrecision(digits))).find(
    (number) => Math.fround(number) === value,
  );
  return doubleText(short ?? value);
};

const doubleText = (value: number): string => {
  if (!Number.isFinite(value)) return `"${value}"`;
  return Object.is(value, -0) ? "-0" : String(value);
};

const readString: Read = (input, json) => {
  const length = input.length();
  const first = input.take(length);
  if (!json.utf8(input.bytes, first, first + length)) throw input.fail("a string that is not UTF-8");
};

const PLAIN: Readonly<Record<PlainKind, Read>> = {
  null: readNull,
  boolean: readBoolean,
  int: readInt,
  long: readLong,
  float: readFloat,
  double: readDouble,
  string: readString,
};

const compile = (type: Exclude<AvroType, RecordType>, readerOf: ReaderOf): Read => {
  if (isPlain(type)) return PLAIN[type.kind];
  switch (type.kind) {
    case "bytes":
    case "fixed":
      return bytesReader(type);
    case "enum":
      return enumReader(type);
    case "array":
      return arrayReader(type, readerOf);
    case "map":
      return mapReader(type, readerOf);
    case "union":
      return unionReader(type, readerOf);
  }
};

const bytesReader = (type: BytesType | FixedType): Read => {
  const { decimal } = type;
  const lengthOf =
    type.kind === "fixed" ? (): number => type.size : (input: AvroInput): number => input.length();
  return (input, json) => {
    const length = lengthOf(input);
    const first = input.take(length);
    if (decimal === undefined || input.isTagged) json.latin1(input.bytes, first, first + length);
    else if (length > MAX_DECIMAL_BYTES) throw input.fail(`a decimal of ${length} bytes`);
    else json.ascii(decimalText(input.bytes.subarray(first, first + length), decimal.scale));
  };
};

const enumReader = ({ name, symbols }: EnumType): Read => {
  const texts = symbols.map((symbol) => Buffer.from(JSON.stringify(symbol)));
  return (input, json) => {
    const index = input.int();
    const text = texts[index];
    if (text === undefined) throw input.fail(`the enum ${name} has no symbol ${index}`);
    json.raw(text);
  };
};

const COMMA = 0x2c;
const COLON = 0x3a;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;

const arrayReader = ({ items }: ArrayType, readerOf: ReaderOf): Read => {
  const read = readerOf(items);
  return (input, json) => {
    input.enter();
    json.byte(OPEN_BRACKET);
    let isFirst = true;
    for (let count = input.blockCount(); count > 0; count = input.blockCount()) {
      for (let i = 0; i < count; i++) {
        if (!isFirst) json.byte(COMMA);
        isFirst = false;
        read(input, json);
      }
    }
    json.byte(CLOSE_BRACKET);
    input.leave();
  };
};

const mapReader = ({ values }: MapType, readerOf: ReaderOf): Read => {
  const read = readerOf(values);
  return (input, json) => {
    input.enter();
    json.byte(OPEN_BRACE);
    let isFirst = true;
    for (let count = input.blockCount(); count > 0; count = input.blockCount()) {
      for (let i = 0; i < count; i++) {
        if (!isFirst) json.byte(COMMA);
        isFirst = false;
        readString(input, json);
        json.byte(COLON);
        read(input, json);
      }
    }
    json.byte(CLOSE_BRACE);
    input.leave();
  };
};

const unionReader = ({ branches: types }: UnionType, readerOf: ReaderOf): Read => {
  const branches = types.map((type) => ({
    read: readerOf(type),
    label: type.kind === "null" ? undefined : Buffer.from(`{${JSON.stringify(tagOf(type))}:`),
  }));
  return (input, json) => {
    const index = input.int();
    const branch = branches[index];
    if (branch === undefined) throw input.fail(`a union has no branch ${index}`);
    if (!input.isTagged || branch.label === undefined) {
      branch.read(input, json);
      return;
    }
    json.raw(branch.label);
    branch.read(input, json);
    json.byte(CLOSE_BRACE);
  };
};

interface FieldReader {
  /** The opening brace or the comma, and the name with its colon. */
  readonly label: Buffer;
  readonly read: Read;
}

/** `fields` may be filled after the call, because a field may have the type of its own record. */
const recordReader =
  (fields: readonly FieldReader[]): Read =>
  (input, json) => {
    input.enter();
    input.spend(fields.length);
    if (fields.length === 0) json.byte(OPEN_BRACE);
    for (const { label, read } of fields) {
      json.raw(label);
      read(input, json);
    }
    json.byte(CLOSE_BRACE);
    input.leave();
  };
