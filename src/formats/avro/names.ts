/** Full names of Avro, and the named types that a schema and its references declare. */
import { SchemaUnusable } from "../format.ts";
import { type AvroType, PRIMITIVES } from "./types.ts";

/** As Java's Avro 1.12: letters of any alphabet. No name becomes code here. */
const NAME = /^[\p{L}_][\p{L}\p{Nd}_]*$/u;
const LONGEST_SHOWN = 100;

export const unusable = (reason: string): SchemaUnusable => new SchemaUnusable(`avro: ${reason}`);

/** A value of the schema, for error texts. */
export const shown = (value: unknown): string =>
  (JSON.stringify(value) as string | undefined)?.slice(0, LONGEST_SHOWN) ?? "nothing";

export const checkName = (name: unknown, what: string): string => {
  if (typeof name === "string" && NAME.test(name)) return name;
  throw unusable(`${what} must be a name (got ${shown(name)})`);
};

const isPrimitive = (name: string): boolean => (PRIMITIVES as readonly string[]).includes(name);

/** The full name that a declaration gives. `around`: the namespace of the type around it; "": that type has no namespace. */
export const declaredName = (schema: Readonly<Record<string, unknown>>, around: string): string => {
  const { name, namespace } = schema;
  if (typeof name !== "string") throw unusable(`a type of ${shown(schema["type"])} has no name`);
  const parts = name.split(".");
  const simple = checkName(parts.pop(), "the name of a type");
  if (isPrimitive(simple)) throw unusable(`a type can't have the name ${simple} of a primitive type`);
  const space = parts.length > 0 ? parts.join(".") : spaceOf(namespace, around);
  if (space === "") return simple;
  for (const part of space.split(".")) checkName(part, `each part of the namespace ${shown(space)}`);
  return `${space}.${simple}`;
};

const spaceOf = (namespace: unknown, around: string): string => {
  if (namespace === undefined || namespace === null) return around;
  if (typeof namespace === "string") return namespace;
  throw unusable(`namespace must be a string (got ${shown(namespace)})`);
};

/** "" for a name without a namespace. */
export const namespaceOf = (fullName: string): string =>
  fullName.slice(0, Math.max(0, fullName.lastIndexOf(".")));

/** The named types of a schema and of its references. Aliases are for readers only, so they declare nothing here. */
export class Names {
  readonly #types = new Map<string, AvroType>();

  declare(name: string, type: AvroType): void {
    if (this.#types.has(name)) throw unusable(`the type ${name} is declared twice`);
    this.#types.set(name, type);
  }

  /** A name without a namespace belongs to the namespace around it, or else to none. */
  resolve(name: string, around: string): AvroType {
    const near = around === "" || name.includes(".") ? name : `${around}.${name}`;
    const type = this.#types.get(near) ?? this.#types.get(name);
    if (type === undefined) throw unusable(`the type ${shown(near)} is not declared`);
    return type;
  }
}
