/** The writer of a record. */
import type { AvroOutput } from "./output.ts";
import { isObject, type JsonObject, mismatch, type Write } from "./write.ts";

export interface FieldWriter {
  readonly name: string;
  /** True if every object inherits a property of this name, such as `constructor`. */
  readonly isInherited: boolean;
  readonly write: Write;
  /** The encoded default; undefined: the field has none. */
  readonly fallback: () => Buffer | undefined;
}

/** `fields` may be filled after the call, because a field may have the type of its own record. */
export const recordWriter =
  (name: string, fields: readonly FieldWriter[], unknownFields: "refuse" | "drop"): Write =>
  (value, output) => {
    if (!isObject(value)) return mismatch(output, `record ${name}`, value);
    output.visited += fields.length;
    let found = 0;
    for (const field of fields) {
      const member = memberOf(value, field);
      if (member === undefined) {
        if (!writeFallback(field, output)) return output.within(field.name);
      } else {
        found++;
        if (!field.write(member, output)) return output.within(field.name);
      }
    }
    return (
      unknownFields === "drop" || found === countOf(value) || refuseUnknown(value, output, { name, fields })
    );
  };

/** No member of a parsed text is undefined. */
const memberOf = (value: JsonObject, { name, isInherited }: FieldWriter): unknown =>
  isInherited && !Object.hasOwn(value, name) ? undefined : value[name];

const writeFallback = (field: FieldWriter, output: AvroOutput): boolean => {
  const encoded = field.fallback();
  if (encoded === undefined)
    return output.refuse("the member is missing, and the schema has no default for it");
  output.raw(encoded);
  return true;
};

const countOf = (value: JsonObject): number => {
  let count = 0;
  // eslint-disable-next-line @typescript-eslint/no-unused-vars -- the loop only counts; Object.keys would create an array for each event
  for (const _ in value) count++;
  return count;
};

const refuseUnknown = (
  value: JsonObject,
  output: AvroOutput,
  { name, fields }: { readonly name: string; readonly fields: readonly FieldWriter[] },
): false => {
  const known = new Set(fields.map((field) => field.name));
  output.refuse(`the record ${name} has no such field`);
  return output.within(Object.keys(value).find((member) => !known.has(member)) ?? "");
};
