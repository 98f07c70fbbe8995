/** The formats of a registry, by the type of the schema. */
import { compileAvro } from "./avro/avro.ts";
import { type CompileSchema, SchemaUnusable } from "./format.ts";
import { compileJsonSchema } from "./json-schema/json-schema.ts";

/** Compiles a schema of any type. Throws SchemaUnusable. */
export const compileSchema: CompileSchema = (source, limits) => {
  switch (source.type) {
    case "AVRO":
      return compileAvro(source, limits);
    case "JSONSCHEMA":
      return compileJsonSchema(source, limits);
    case "PROTOBUF":
      throw new SchemaUnusable(`schemas of type ${source.type} are not supported yet`);
  }
};
