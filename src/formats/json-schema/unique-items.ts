/** `uniqueItems` in linear time. ajv compares every pair of items, unless all items are scalars. */
import type { AnySchemaObject, ErrorObject, FuncKeywordDefinition } from "ajv";

/** The same text for equal values: members are sorted. */
const canonical = (value: unknown): string => {
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  const members = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${members.map(([name, member]) => `${JSON.stringify(name)}:${canonical(member)}`).join(",")}}`;
};

interface Validate {
  (schema: boolean, items: readonly unknown[], parentSchema?: AnySchemaObject): boolean;
  errors?: Partial<ErrorObject>[];
}

/** The error has the same members as ajv's. */
const validate: Validate = (schema, items, parentSchema = {}) => {
  if (!schema) return true;
  const seen = new Map<string, number>();
  for (const [j, item] of items.entries()) {
    const text = canonical(item);
    const i = seen.get(text);
    if (i !== undefined) {
      validate.errors = [{ keyword: "uniqueItems", params: { i: j, j: i }, parentSchema }];
      return false;
    }
    seen.set(text, j);
  }
  return true;
};

export const UNIQUE_ITEMS: FuncKeywordDefinition = {
  keyword: "uniqueItems",
  type: "array",
  schemaType: "boolean",
  validate,
};
