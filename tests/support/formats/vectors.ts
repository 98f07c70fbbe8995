/** The vectors of the specification: JSON in, framed bytes out, and the way back. */
import { readFileSync } from "node:fs";
import path from "node:path";
import type { CompiledSchema, FormatLimits, SchemaSource, SchemaType } from "../../../src/formats/format.ts";
import { compileSchema } from "../../../src/formats/formats.ts";

interface Vector {
  readonly name: string;
  readonly id: number;
  readonly format: string;
  readonly schema: string;
  readonly references?: readonly { readonly name: string; readonly schema: string }[];
  /** Full name of a Protobuf message; absent: the first one. */
  readonly message?: string;
  readonly json: string;
  /** The record in hex. Absent: the event is refused, and the text contains `error`. */
  readonly framed?: string;
  readonly error?: string;
  readonly read?: string;
  readonly avroJson?: string;
}

const { vectors } = JSON.parse(
  readFileSync(path.join(import.meta.dirname, "schema-registry-vectors.json"), "utf8"),
) as { vectors: readonly Vector[] };

export const LIMITS: FormatLimits = { maxDepth: 128, maxBytes: 4_194_304, unknownFields: "refuse" };

export const compile = (
  type: SchemaType,
  text: string,
  references: SchemaSource["references"] = [],
  limits = LIMITS,
): CompiledSchema => compileSchema({ type, text, references }, limits);

/** The error of a call that must throw. */
export const thrownBy = (call: () => unknown): Error => {
  try {
    call();
  } catch (error) {
    return error as Error;
  }
  throw new TypeError("nothing was thrown");
};

/** Runs all vectors of a format in both directions. */
export const describeVectors = (type: SchemaType): void => {
  describe(`the ${type} vectors`, () => {
    const own = vectors.filter(({ format }) => format.toUpperCase() === type);
    const schemaOf = ({ schema, references = [] }: Vector): CompiledSchema =>
      compile(
        type,
        schema,
        references.map(({ name, schema: text }) => ({ name, text })),
      );

    it.each(own.filter(({ framed }) => framed !== undefined))("encode $name", (vector) => {
      const framed = schemaOf(vector).encode(Buffer.from(vector.json), vector.id, vector.message);
      expect(framed.toString("hex")).toBe(vector.framed);
    });

    it.each(own.filter(({ error }) => error !== undefined))("refuse $name", (vector) => {
      const schema = schemaOf(vector);
      const error = thrownBy(() => schema.encode(Buffer.from(vector.json), vector.id, vector.message));
      expect(error.name).toBe("DataRefused");
      expect(error.message).toContain(vector.error);
    });

    it.each(own.filter(({ read }) => read !== undefined))("decode $name", (vector) => {
      const payload = Buffer.from(vector.framed ?? "", "hex").subarray(5);
      const decoded = schemaOf(vector).decode(payload, "json");
      expect(JSON.parse(decoded.toString())).toEqual(JSON.parse(vector.read ?? ""));
      const avroJson = schemaOf(vector).decode(payload, "avro-json");
      expect(JSON.parse(avroJson.toString())).toEqual(JSON.parse(vector.avroJson ?? vector.read ?? ""));
    });
  });
};
