/** The types of an Avro schema. A recursive type contains itself, so the types are a graph. */
import type { Decimal } from "./decimal.ts";

export const PRIMITIVES = ["null", "boolean", "int", "long", "float", "double", "bytes", "string"] as const;

export interface BytesType {
  readonly kind: "bytes";
  readonly decimal: Decimal | undefined;
}

export interface FixedType {
  readonly kind: "fixed";
  readonly name: string;
  readonly size: number;
  readonly decimal: Decimal | undefined;
}

export interface EnumType {
  readonly kind: "enum";
  readonly name: string;
  readonly symbols: readonly string[];
}

export interface ArrayType {
  readonly kind: "array";
  readonly items: AvroType;
}

export interface MapType {
  readonly kind: "map";
  readonly values: AvroType;
}

export interface Field {
  readonly name: string;
  readonly type: AvroType;
  /** The default as the schema's text has it; undefined: the field has none. */
  readonly fallback: unknown;
}

export interface RecordType {
  readonly kind: "record";
  readonly name: string;
  readonly fields: readonly Field[];
}

export interface UnionType {
  readonly kind: "union";
  readonly branches: readonly AvroType[];
}

/** The types that need no further description. */
export type PlainKind = Exclude<(typeof PRIMITIVES)[number], "bytes">;

export type AvroType =
  | { readonly [K in PlainKind]: { readonly kind: K } }[PlainKind]
  | BytesType
  | FixedType
  | EnumType
  | ArrayType
  | MapType
  | RecordType
  | UnionType;

type PlainType = Extract<AvroType, { readonly kind: PlainKind }>;

export const isPlain = (type: AvroType): type is PlainType =>
  type.kind !== "bytes" && (PRIMITIVES as readonly string[]).includes(type.kind);

/** Avro's full name; undefined: the type has none. */
export const nameOf = (type: AvroType): string | undefined => ("name" in type ? type.name : undefined);

/** The name of a type as a branch of a union. Error texts use it too. */
export const tagOf = (type: AvroType): string => nameOf(type) ?? type.kind;
