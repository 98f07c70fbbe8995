/** Decodes the keys and values of records that clients and connectors read, by the schemas that the records name. */
import type { ConsumedRecord } from "../broker/broker.ts";
import { asGatewayError } from "../errors.ts";
import { type CompiledSchema, type JsonForm, type SchemaType, Undecodable } from "../formats/format.ts";
import type { RecordPartName, SchemaId, SchemaRegistry } from "./contract.ts";
import { type FramedPayload, readFramed } from "./framing.ts";

/** How a reader gets values: as stored, or decoded. */
export const DECODINGS = ["none", "json", "avro-json"] as const;
export type Decoding = (typeof DECODINGS)[number];

export type Decoded =
  | {
      readonly status: "decoded";
      readonly json: Buffer;
      readonly type: SchemaType;
      readonly id: SchemaId;
    }
  /** The reader gets the bytes as stored. `reason` is one line. */
  | { readonly status: "undecodable"; readonly reason: string };

type Stored = Pick<ConsumedRecord, "key" | "value" | "headers">;

export interface Decoder {
  /**
   * Gets the schemas of these records that are not known yet. undefined: all are known. Rejects with REGISTRY_UNAVAILABLE. It must
   * have resolved before `decode` is called.
   */
  prepare(records: Iterable<Stored>, parts?: readonly RecordPartName[]): Promise<void> | undefined;
  /** Never throws. undefined: the part is null. */
  decode(record: Stored, part: RecordPartName, form: JsonForm): Decoded | undefined;
}

/** Who wrote a part: its schema, or the reason why it can't be decoded. */
type Writer =
  { readonly framed: FramedPayload; readonly schema: CompiledSchema } | { readonly reason: string };

type Writers = Partial<Record<RecordPartName, Writer>>;

const VALUE: readonly RecordPartName[] = ["value"];

export const createDecoder = (registry: Pick<SchemaRegistry, "schemaOf">): Decoder => {
  // A schema that was found for a record is kept until the record is gone, however many other schemas are used meanwhile.
  const found = new WeakMap<Stored, Writers>();

  const find = (record: Stored, part: RecordPartName): Writer | Promise<Writer> | undefined => {
    const bytes = record[part];
    if (bytes === null) return undefined;
    const framed = readFramed(part, bytes, record.headers);
    if (framed === undefined) return { reason: `the ${part} has no schema id` };
    try {
      const schema = registry.schemaOf(framed.id);
      if (!(schema instanceof Promise)) return writerOf(framed, schema);
      return schema.then(
        (late) => writerOf(framed, late),
        (error: unknown) => unusable(error),
      );
    } catch (error) {
      return unusable(error);
    }
  };

  /** undefined: the writer is known now. */
  const note = (record: Stored, part: RecordPartName): Promise<void> | undefined => {
    const writers = found.get(record) ?? {};
    if (writers[part] !== undefined) return undefined;
    found.set(record, writers);
    const writer = find(record, part);
    if (!(writer instanceof Promise)) {
      if (writer !== undefined) writers[part] = writer;
      return undefined;
    }
    return writer.then((late) => {
      writers[part] = late;
    });
  };

  return {
    prepare: (records, parts = VALUE) => {
      const asked: Promise<void>[] = [];
      for (const record of records)
        for (const part of parts) {
          const late = note(record, part);
          if (late !== undefined) asked.push(late);
        }
      return asked.length === 0 ? undefined : Promise.all(asked).then(() => undefined);
    },
    decode: (record, part, form) => {
      if (record[part] === null) return undefined;
      const writer = found.get(record)?.[part];
      return writer === undefined
        ? { status: "undecodable", reason: "its schema is not known" }
        : decodedBy(writer, form);
    },
  };
};

const writerOf = (framed: FramedPayload, schema: CompiledSchema | undefined): Writer =>
  schema === undefined
    ? { reason: `the registry has no schema with the id ${framed.id}` }
    : { framed, schema };

/** A schema that can't be used. Throws REGISTRY_UNAVAILABLE. */
const unusable = (error: unknown): Writer => {
  const fault = asGatewayError(error);
  if (fault.code === "SCHEMA_UNUSABLE") return { reason: fault.message };
  throw fault;
};

const decodedBy = (writer: Writer, form: JsonForm): Decoded => {
  if ("reason" in writer) return { status: "undecodable", reason: writer.reason };
  const { framed, schema } = writer;
  try {
    return { status: "decoded", json: schema.decode(framed.payload, form), type: schema.type, id: framed.id };
  } catch (error) {
    const { message } = error instanceof Undecodable ? error : asGatewayError(error);
    return { status: "undecodable", reason: message };
  }
};
