/** The formats of a registry, by the type of the schema. */
import { compileAvro } from "./avro/avro.ts";
import type { CompileSchema, SchemaType } from "./format.ts";
import { compileJsonSchema } from "./json-schema/json-schema.ts";
import { compileProtobuf } from "./protobuf/protobuf.ts";

const COMPILERS: Readonly<Record<SchemaType, CompileSchema>> = {
  AVRO: compileAvro,
  JSONSCHEMA: compileJsonSchema,
  PROTOBUF: compileProtobuf,
};

/** Compiles a schema of any type. Throws SchemaUnusable. */
export const compileSchema: CompileSchema = (source, limits) => COMPILERS[source.type](source, limits);
