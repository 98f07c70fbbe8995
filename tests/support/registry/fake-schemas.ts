/** A registry for readers: its schemas decode a payload to the same bytes, and it can be unavailable. */
import { GatewayError } from "../../../src/errors.ts";
import { type CompiledSchema, type SchemaType, Undecodable } from "../../../src/formats/format.ts";
import type { SchemaId, SchemaRegistry } from "../../../src/registry/contract.ts";

export interface FakeSchemas extends Pick<SchemaRegistry, "schemaOf"> {
  /** Every id above 100 is asked for, and the registry does not answer while this is false. */
  isAvailable: boolean;
  readonly asked: SchemaId[];
}

const schema = (type: SchemaType): CompiledSchema => ({
  type,
  name: undefined,
  encode: () => {
    throw new Error("readers encode nothing");
  },
  decode: (payload, form) => {
    if (payload.toString() === "broken") throw new Undecodable("the payload ends early");
    return form === "json" ? payload : Buffer.from(`{"form":${payload.toString()}}`);
  },
});

const AVRO = schema("AVRO");

/** The ids 1 to 100 are known, 101 to 200 are asked for, and there are no others. */
export const createFakeSchemas = (): FakeSchemas => {
  const fake: FakeSchemas = {
    isAvailable: true,
    asked: [],
    schemaOf: (id) => {
      if (typeof id === "number" && id <= 100) return AVRO;
      fake.asked.push(id);
      if (!fake.isAvailable) return Promise.reject(new GatewayError("REGISTRY_UNAVAILABLE"));
      return Promise.resolve(typeof id === "number" && id <= 200 ? AVRO : undefined);
    },
  };
  return fake;
};

/** Byte 0, the id, and the payload. */
export const framed = (id: number, payload: string): Buffer => {
  const frame = Buffer.alloc(5);
  frame.writeUInt32BE(id, 1);
  return Buffer.concat([frame, Buffer.from(payload)]);
};
