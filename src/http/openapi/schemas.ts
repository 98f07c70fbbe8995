/** zod schemas as the JSON Schemas of an OpenAPI 3.1 document, the named ones as its components. */
import { z } from "zod";

export type JsonSchema = Readonly<Record<string, unknown>>;

export interface SchemaBook {
  /** `input`: what a client may send; `output`: what it gets. A schema with an id becomes a reference. */
  write(schema: z.ZodType, io: "input" | "output"): JsonSchema;
  /** Those that were referred to so far. */
  readonly components: Readonly<Record<string, JsonSchema>>;
}

const COMPONENTS = "#/components/schemas/";

/** zod keeps the schemas that have an id in `$defs` of each drawing; here they have one place for all. */
const draw = (schema: z.ZodType, io: "input" | "output"): JsonSchema => {
  const drawn = z.toJSONSchema(schema, { io, unrepresentable: "any" });
  return JSON.parse(JSON.stringify(drawn).replaceAll("#/$defs/", COMPONENTS)) as JsonSchema;
};

const without = (schema: JsonSchema, ...names: readonly string[]): JsonSchema =>
  Object.fromEntries(Object.entries(schema).filter(([name]) => !names.includes(name)));

export const createSchemaBook = (): SchemaBook => {
  const components: Record<string, JsonSchema> = {};
  return {
    components,
    write: (schema, io) => {
      const drawn = draw(schema, io);
      for (const [name, named] of Object.entries((drawn["$defs"] ?? {}) as Record<string, JsonSchema>))
        components[name] = without(named, "id");
      const bare = without(drawn, "$schema", "$defs", "id");
      const id = z.globalRegistry.get(schema)?.id;
      if (id === undefined) return bare;
      components[id] = bare;
      return { $ref: COMPONENTS + id };
    },
  };
};
