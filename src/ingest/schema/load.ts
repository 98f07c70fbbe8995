/** From a declaration in the settings to a compiled validator. */
import type { EventValidator, SchemaDeclaration, ValidatorContext } from "./validator.ts";
import { loadJsonSchema } from "./json-schema/json-schema.ts";
import { loadProtobuf } from "./protobuf.ts";
import { loadZod } from "./zod.ts";

/** Compiles a schema once and for all. Rejects with SETTINGS_INVALID that names the station, the file and the fault. */
export const loadValidator = async (
  declaration: SchemaDeclaration,
  context: ValidatorContext,
): Promise<EventValidator> => {
  switch (declaration.type) {
    case "json-schema":
      return loadJsonSchema(declaration, context);
    case "zod":
      return loadZod(declaration, context);
    case "protobuf":
      return loadProtobuf(declaration, context);
  }
};
