/**
 * Compiles the types of a schema to one function that writes plain events as Avro straight from the bytes of their JSON. It
 * writes what the writer of parsed values would write, or gives up: that writer then takes the event, and words the refusal.
 */
import { isUtf8 } from "node:buffer";
import { QUOTE } from "../../../lib/json-scan.ts";
import type { Decimal } from "../decimal.ts";
import type { AvroOutput } from "../output.ts";
import { type AvroType, type FixedType, isPlain, type PlainKind, type RecordType } from "../types.ts";
import { writeDecimal } from "../write-bytes.ts";
import type { FieldWriter } from "../write-record.ts";
import { directArray, directMap } from "./containers.ts";
import { type Direct, JsonInput } from "./input.ts";
import { directDouble, directFloat, directInt, directLong, numberSource, readNumber } from "./number.ts";
import { type DirectField, directRecord } from "./record.ts";
import { directBytes, directEnum, directFixed, directString } from "./text.ts";
import { directUnion } from "./union.ts";

interface DirectOptions {
  readonly unknownFields: "refuse" | "drop";
  /** The fields of a record as the writer of parsed values has compiled them. */
  readonly fieldsOf: (record: RecordType) => readonly FieldWriter[];
}

export const compileDirect = (root: AvroType, { unknownFields, fieldsOf }: DirectOptions): Direct => {
  const records = new Map<AvroType, Direct>();
  const directOf = (type: AvroType): Direct => {
    if (type.kind !== "record") return compile(type, directOf);
    const known = records.get(type);
    if (known !== undefined) return known;
    const fields: DirectField[] = [];
    const write = directRecord(fields, unknownFields);
    records.set(type, write);
    const writers = fieldsOf(type);
    for (const [i, { name, type: inside }] of type.fields.entries()) {
      const fallback = writers[i]?.fallback ?? noFallback;
      fields.push({ name, write: directOf(inside), fallback });
    }
    return write;
  };
  return directOf(root);
};

const noFallback = (): undefined => undefined;

const compile = (type: Exclude<AvroType, RecordType>, directOf: (type: AvroType) => Direct): Direct => {
  if (isPlain(type)) return PLAIN[type.kind];
  switch (type.kind) {
    case "bytes":
      return withDecimal(directBytes, type.decimal);
    case "fixed":
      return withDecimal(directFixed(type), type.decimal, type);
    case "enum":
      return directEnum(type);
    case "array":
      return directArray(directOf(type.items));
    case "map":
      return directMap(directOf(type.values));
    case "union":
      return directUnion(type, directOf);
  }
};

const PLAIN: Readonly<Record<PlainKind, Direct>> = {
  null: (input) => {
    input.next();
    return input.passes("null");
  },
  boolean: (input, output) => {
    input.next();
    const isTrue = input.passes("true");
    if (!isTrue && !input.passes("false")) return false;
    output.byte(isTrue ? 1 : 0);
    return true;
  },
  int: directInt,
  long: directLong,
  float: directFloat,
  double: directDouble,
  string: directString,
};

const withDecimal = (write: Direct, decimal: Decimal | undefined, fixed?: FixedType): Direct => {
  if (decimal === undefined) return write;
  return (input, output) => {
    if (input.next() === QUOTE) return write(input, output);
    return readNumber(input) && writeDecimal(numberSource(input), output, decimal, fixed?.size);
  };
};

/** One input for all events, because their encoding never overlaps. */
const input = new JsonInput();

/** Writes the whole event. false: the event is not plain. */
export const writeDirect = (write: Direct, json: Buffer, output: AvroOutput, maxDepth: number): boolean => {
  input.begin(json, maxDepth);
  try {
    if (!write(input, output)) return false;
    if (input.next() !== 0 || input.at < json.length) return false;
    return !input.isUnchecked || isUtf8(json);
  } catch {
    // Too large or too deep: the other writer says so.
    return false;
  } finally {
    input.end();
  }
};
