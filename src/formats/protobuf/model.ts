/** The messages of a Protobuf schema, prepared for writing and reading. */
import { Enum, type Field, MapField, type NamespaceBase, type ReflectionObject, Type } from "protobufjs";
import { SchemaUnusable } from "../format.ts";
import type { Linked } from "./files.ts";
import { SCALARS, type Scalar } from "./scalars.ts";
import { LENGTH } from "./wire.ts";

/** The type of a value: of a field, of a list's items, of a map's keys or values. */
export type ElementType =
  | { readonly kind: "scalar"; readonly scalar: Scalar }
  | { readonly kind: "enum"; readonly enum: EnumType }
  | { readonly kind: "message"; readonly message: MessageType; readonly delimited: boolean };

export interface EnumType {
  readonly name: string;
  readonly byName: ReadonlyMap<string, number>;
  readonly byNumber: ReadonlyMap<number, string>;
  /** A closed enum has no other values than its own. */
  readonly closed: boolean;
  /** google.protobuf.NullValue, whose JSON is null. */
  readonly isNull: boolean;
}

export interface FieldType {
  readonly name: string;
  readonly jsonName: string;
  readonly number: number;
  readonly element: ElementType;
  readonly list: boolean;
  /** Of a map, whose values have the type `element`. */
  readonly key: Scalar | undefined;
  readonly packed: boolean;
  /** A field without presence is absent if it has the default of its type. */
  readonly hasPresence: boolean;
  readonly required: boolean;
  /** Fields with the same object are of one oneof. */
  readonly oneof: object | undefined;
}

export interface MessageType {
  /** Without a leading dot. */
  readonly name: string;
  /** A type of Google whose JSON has a form of its own. */
  readonly isWellKnown: boolean;
  /** In the order of their numbers. */
  readonly fields: readonly FieldType[];
  readonly required: readonly FieldType[];
  readonly byNumber: ReadonlyMap<number, FieldType>;
  /** By both spellings. */
  readonly byName: ReadonlyMap<string, FieldType>;
  /** For google.protobuf.Any. undefined: the schema has no such message. */
  lookUp(name: string): MessageType | undefined;
}

interface Unfinished {
  readonly name: string;
  readonly isWellKnown: boolean;
  fields: readonly FieldType[];
  required: readonly FieldType[];
  byNumber: ReadonlyMap<number, FieldType>;
  byName: ReadonlyMap<string, FieldType>;
  lookUp(name: string): MessageType | undefined;
}

/** Prepares messages on demand, each once. */
export interface MessageTypes {
  of(type: Type): MessageType;
}

export const createMessageTypes = ({ root, wellKnown }: Omit<Linked, "messages">): MessageTypes => {
  const messages = new Map<Type, MessageType>();
  const enums = new Map<Enum, EnumType>();
  const unfinished: { readonly type: Type; readonly message: Unfinished }[] = [];

  const begin = (type: Type): MessageType => {
    const known = messages.get(type);
    if (known !== undefined) return known;
    const message: Unfinished = {
      name: nameOf(type),
      isWellKnown: wellKnown.has(type),
      fields: [],
      required: [],
      byNumber: new Map(),
      byName: new Map(),
      lookUp,
    };
    messages.set(type, message);
    unfinished.push({ type, message });
    return message;
  };
  const enumOf = (type: Enum): EnumType => {
    const known = enums.get(type) ?? enumType(type, wellKnown.has(type));
    enums.set(type, known);
    return known;
  };
  const elementOf = (field: Field): ElementType => {
    const scalar = SCALARS.get(field.type);
    if (scalar !== undefined) return { kind: "scalar", scalar };
    const found = find(field);
    if (found instanceof Enum) return { kind: "enum", enum: enumOf(found) };
    return { kind: "message", message: begin(found), delimited: field.delimited };
  };
  // A loop, because a chain of messages can be longer than the stack.
  const finish = (): void => {
    for (let next = unfinished.pop(); next !== undefined; next = unfinished.pop()) {
      const { type, message } = next;
      message.fields = fieldsOf(type, elementOf);
      message.required = message.fields.filter(({ required }) => required);
      message.byNumber = new Map(message.fields.map((field) => [field.number, field]));
      message.byName = namesOf(message);
    }
  };
  const of = (type: Type): MessageType => {
    const message = begin(type);
    finish();
    return message;
  };
  const lookUp = (name: string): MessageType | undefined => {
    const found = descend(root, name.split("."));
    return found instanceof Type ? of(found) : undefined;
  };
  return { of };
};

/** The full name without the leading dot. */
export const nameOf = ({ fullName }: ReflectionObject): string => fullName.replace(/^\./, "");

const namesOf = ({ name, fields }: Unfinished): ReadonlyMap<string, FieldType> => {
  const byName = new Map<string, FieldType>();
  for (const field of fields) {
    const other = byName.get(field.jsonName);
    if (other !== undefined) {
      throw new SchemaUnusable(
        `the fields ${other.name} and ${field.name} of ${name} have the same name in JSON`,
      );
    }
    byName.set(field.jsonName, field);
  }
  for (const field of fields) if (!byName.has(field.name)) byName.set(field.name, field);
  return byName;
};

const fieldsOf = (type: Type, elementOf: (field: Field) => ElementType): readonly FieldType[] =>
  type.fieldsArray.toSorted((a, b) => a.id - b.id).map((field) => fieldType(field, elementOf(field)));

const MAX_NUMBER = 2 ** 29 - 1;

const fieldType = (field: Field, element: ElementType): FieldType => {
  if (field.id < 1 || field.id > MAX_NUMBER) {
    throw new SchemaUnusable(`the number ${field.id} of ${nameOf(field)} is not from 1 to ${MAX_NUMBER}`);
  }
  // protobufjs names an extension by its full name with a leading dot.
  const isExtension = field.name.startsWith(".");
  const name = isExtension ? `[${field.name.slice(1)}]` : field.name;
  return {
    name,
    jsonName: isExtension ? name : field.jsonName,
    number: field.id,
    element,
    list: field.repeated,
    key: field instanceof MapField ? SCALARS.get(field.keyType) : undefined,
    packed: field.packed && isPackable(element),
    hasPresence: field.hasPresence && true,
    required: field.required,
    oneof: field.partOf ?? undefined,
  };
};

/** Numbers and enums have no length of their own. */
const isPackable = (element: ElementType): boolean =>
  element.kind === "enum" || (element.kind === "scalar" && element.scalar.wireType !== LENGTH);

const enumType = (type: Enum, isWellKnown: boolean): EnumType => {
  const values = Object.entries(type.values);
  const byNumber = new Map<number, string>();
  for (const [name, number] of values) if (!byNumber.has(number)) byNumber.set(number, name);
  return {
    name: nameOf(type),
    byName: new Map(values),
    byNumber,
    closed: (type as unknown as { _features: { enum_type: string } })._features.enum_type === "CLOSED",
    isNull: isWellKnown && type.name === "NullValue",
  };
};

/**
 * The type that a field names, by Protobuf's own rule: from the innermost scope outwards. protobufjs also looks into
 * neighbouring scopes, and can find another type.
 */
const find = (field: Field): Type | Enum => {
  const path = field.type.split(".");
  const isAbsolute = path[0] === "";
  let scope: NamespaceBase | null = isAbsolute ? field.root : (field.declaringField ?? field).parent;
  while (scope !== null) {
    const found = descend(scope, isAbsolute ? path.slice(1) : path);
    if (found instanceof Type || found instanceof Enum) return found;
    scope = scope.parent;
  }
  throw new SchemaUnusable(`the type ${field.type} of ${nameOf(field)} is unknown`);
};

const descend = (scope: NamespaceBase, path: readonly string[]): ReflectionObject | undefined => {
  let found: ReflectionObject | undefined = scope;
  for (const name of path) {
    const nested: Readonly<Record<string, ReflectionObject>> =
      found !== undefined && "nested" in found ? ((found.nested as typeof nested | undefined) ?? {}) : {};
    found = Object.hasOwn(nested, name) ? nested[name] : undefined;
  }
  return found;
};
