/** Compiles the types of a schema to one function that writes JSON values in Avro's binary form. */
import type { AvroOutput } from "./output.ts";
import {
  type ArrayType,
  type AvroType,
  type EnumType,
  isPlain,
  type MapType,
  type PlainKind,
  type RecordType,
} from "./types.ts";
import { bytesOrFixedWriter } from "./write-bytes.ts";
import { createDefaults } from "./write-default.ts";
import { doubleWriter, floatWriter, intWriter, longWriter } from "./write-number.ts";
import { type FieldWriter, recordWriter } from "./write-record.ts";
import { unionWriter } from "./write-union.ts";
import { isObject, mismatch, type Write, type WriterOf } from "./write.ts";

interface CompiledWriter {
  readonly write: Write;
  /** The fields of a record of the schema. */
  readonly fieldsOf: (record: RecordType) => readonly FieldWriter[];
}

/** The defaults are encoded here, once. Throws SchemaUnusable if they are too large. */
export const compileWriter = (root: AvroType, unknownFields: "refuse" | "drop"): CompiledWriter => {
  const records = new Map<AvroType, Write>();
  const fieldsOf = new Map<AvroType, readonly FieldWriter[]>();
  const defaults = createDefaults();
  const writerOf: WriterOf = (type) => {
    if (type.kind !== "record") return compile(type, writerOf);
    const known = records.get(type);
    if (known !== undefined) return known;
    const fields: FieldWriter[] = [];
    const write = recordWriter(type.name, fields, unknownFields);
    records.set(type, write);
    fieldsOf.set(type, fields);
    for (const { name, type: inside, fallback } of type.fields) {
      const writeField = writerOf(inside);
      const encoded = defaults.add(fallback, writeField);
      fields.push({ name, isInherited: name in Object.prototype, write: writeField, fallback: encoded });
    }
    return write;
  };
  const write = writerOf(root);
  defaults.encodeAll();
  return { write, fieldsOf: (record) => fieldsOf.get(record) ?? [] };
};

const booleanWriter: Write = (value, output) => {
  if (typeof value !== "boolean") return mismatch(output, "boolean", value);
  output.byte(value ? 1 : 0);
  return true;
};

const HALF_PAIR = "the string has half a surrogate pair";

const stringWriter: Write = (value, output) => {
  if (typeof value !== "string") return mismatch(output, "string", value);
  return output.string(value) || output.refuse(HALF_PAIR);
};

const PLAIN: Readonly<Record<PlainKind, Write>> = {
  null: (value, output) => value === null || mismatch(output, "null", value),
  boolean: booleanWriter,
  int: intWriter,
  long: longWriter,
  float: floatWriter,
  double: doubleWriter,
  string: stringWriter,
};

const compile = (type: Exclude<AvroType, RecordType>, writerOf: WriterOf): Write => {
  if (isPlain(type)) return PLAIN[type.kind];
  switch (type.kind) {
    case "bytes":
      return bytesOrFixedWriter(type.decimal);
    case "fixed":
      return bytesOrFixedWriter(type.decimal, type);
    case "enum":
      return enumWriter(type);
    case "array":
      return arrayWriter(type, writerOf);
    case "map":
      return mapWriter(type, writerOf);
    case "union":
      return unionWriter(type, writerOf);
  }
};

const MOST_SHOWN = 10;

const enumWriter = ({ name, symbols }: EnumType): Write => {
  const indexes: ReadonlyMap<unknown, number> = new Map(symbols.map((symbol, index) => [symbol, index]));
  const shown = symbols.slice(0, MOST_SHOWN).join(", ") + (symbols.length > MOST_SHOWN ? ", …" : "");
  return (value, output) => {
    const index = indexes.get(value);
    if (index === undefined) {
      if (typeof value !== "string") return mismatch(output, `enum ${name}`, value);
      return output.refuse(`expected a symbol of ${name} (${shown}), but got another string`);
    }
    output.int(index);
    return true;
  };
};

/** One block with all items, and the end. */
const arrayWriter = ({ items }: ArrayType, writerOf: WriterOf): Write => {
  const write = writerOf(items);
  return (value, output) => {
    if (!Array.isArray(value)) return mismatch(output, "array", value);
    output.visited += value.length;
    if (value.length > 0) output.int(value.length);
    for (let i = 0; i < value.length; i++) {
      if (!write(value[i], output)) return output.within(i);
    }
    output.byte(0);
    return true;
  };
};

/** One block with all entries, and the end. */
const mapWriter = ({ values }: MapType, writerOf: WriterOf): Write => {
  const write = writerOf(values);
  return (value, output) => {
    if (!isObject(value)) return mismatch(output, "map", value);
    const keys = Object.keys(value);
    output.visited += keys.length;
    if (keys.length > 0) output.int(keys.length);
    for (const key of keys) {
      if (!writeEntry(key, value[key], output, write)) return output.within(key);
    }
    output.byte(0);
    return true;
  };
};

const writeEntry = (key: string, value: unknown, output: AvroOutput, write: Write): boolean =>
  output.string(key) ? write(value, output) : output.refuse(HALF_PAIR);
