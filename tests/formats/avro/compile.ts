/** Compiles schemas for the tests of Avro. */
import { compileAvro } from "../../../src/formats/avro/avro.ts";
import type { CompiledSchema, FormatLimits, SchemaSource } from "../../../src/formats/format.ts";

const LIMITS: FormatLimits = { maxDepth: 100, maxBytes: 4 * 1024 * 1024, unknownFields: "refuse" };

interface Given extends Partial<FormatLimits> {
  readonly references?: SchemaSource["references"];
}

export const avro = (schema: unknown, given: Given = {}): CompiledSchema =>
  avroText(JSON.stringify(schema), given);

export const avroText = (text: string, { references = [], ...limits }: Given = {}): CompiledSchema =>
  compileAvro({ type: "AVRO", text, references }, { ...LIMITS, ...limits });

/** A record with the one field `a`. */
export const recordOf = (type: unknown, more: object = {}): object => ({
  type: "record",
  name: "R",
  fields: [{ name: "a", type, ...more }],
});

/** The payload in hex, without the frame. */
export const hexOf = (schema: CompiledSchema, json: string): string =>
  schema.encode(Buffer.from(json), 1).subarray(5).toString("hex");

/** The error of an event that must be refused. */
export const refusalOf = (schema: CompiledSchema, json: string): string => {
  try {
    schema.encode(Buffer.from(json), 1);
  } catch (error) {
    if (error instanceof Error && error.name === "DataRefused") return error.message;
    throw error;
  }
  throw new TypeError(`${json.slice(0, 100)} was not refused`);
};

export const read = (schema: CompiledSchema, hex: string, form: "json" | "avro-json" = "json"): string =>
  schema.decode(Buffer.from(hex, "hex"), form).toString();
