/** Encodes an event's key or value in Confluent's wire format, or checks bytes that are already in this format. */
import { asGatewayError, GatewayError } from "../../errors.ts";
import { DataRefused, type SchemaType, Undecodable } from "../../formats/format.ts";
import { FRAME_BYTES } from "../../formats/frame.ts";
import type { RegisteredSchema } from "../../registry/contract.ts";
import type { FramedPayload } from "../../registry/framing.ts";
import { isProtobuf } from "../content/content-type.ts";
import {
  type Accepted,
  type FoundSchema,
  jsonRefused,
  type Refused,
  type RegistryValidator,
  schemaRefused,
} from "./validator.ts";

const CONTENT_TYPES: Readonly<Record<SchemaType, string>> = {
  AVRO: "application/vnd.kafka.avro",
  JSONSCHEMA: "application/vnd.kafka.jsonschema",
  PROTOBUF: "application/vnd.kafka.protobuf",
};

const refused = (error: GatewayError): Refused => ({ status: "refused", error });

const accepted = (value: Buffer, type: SchemaType, json: Buffer): Accepted => ({
  status: "accepted",
  value,
  contentType: CONTENT_TYPES[type],
  json,
});

/** Encodes JSON in the wire format, with the schema that its record names. Throws DATA_REFUSED or JSON_TOO_DEEP. */
export const framedByRecord = (
  json: Buffer,
  { schema, id, subject }: RegisteredSchema,
  message?: string,
): Buffer => {
  if (message !== undefined && schema.type === "PROTOBUF" && schema.declares?.(message) !== true)
    throw new GatewayError("SCHEMA_UNKNOWN", {
      message: `Schema ${id} of subject ${subject} does not declare the station's message ${message}`,
    });
  try {
    return schema.encode(json, id, message);
  } catch (error) {
    if (!(error instanceof DataRefused)) throw error;
    throw new GatewayError("DATA_REFUSED", { message: error.message, cause: error });
  }
};

/** Validates and encodes a value with the schema that its record names. */
export const judgeByRecord = (value: Buffer, found: FoundSchema, message?: string): Accepted | Refused => {
  if (found instanceof GatewayError) return refused(found);
  try {
    return accepted(framedByRecord(value, found, message), found.schema.type, value);
  } catch (error) {
    return refused(asGatewayError(error));
  }
};

/** Validates and encodes JSON, or the binary message of a Protobuf schema, with the station's schema. */
export const judgeByStation = (
  { value, contentType }: { readonly value: Buffer; readonly contentType: string | undefined },
  found: FoundSchema,
  { message, hasPointer }: RegistryValidator,
): Accepted | Refused => {
  if (found instanceof GatewayError) return refused(found);
  const { schema, id } = found;
  try {
    if (schema.frame === undefined || !isProtobuf(contentType ?? ""))
      return accepted(schema.encode(value, id, message), schema.type, value);
    const framed = schema.frame(value, id, message);
    return accepted(framed, schema.type, hasPointer ? schema.decode(payloadOf(framed), "json") : value);
  } catch (error) {
    return error instanceof DataRefused ? schemaRefused(error.message, error) : jsonRefused(error);
  }
};

const payloadOf = (framed: Buffer): Buffer => framed.subarray(FRAME_BYTES);

/**
 * Checks bytes that are already in the wire format. They are stored unchanged. `frame` is undefined if byte 0 or the id is
 * invalid.
 */
export const judgeFramed = (
  value: Buffer,
  frame: FramedPayload | undefined,
  found: FoundSchema | undefined,
): Accepted | Refused => {
  if (frame === undefined || found === undefined)
    return frameRefused("The value begins with byte 0, but not with byte 0 and the id of a schema");
  if (found instanceof GatewayError)
    return found.outcome === "refused" ? frameRefused(found.message, found) : refused(found);
  try {
    return accepted(value, found.schema.type, found.schema.decode(frame.payload, "json"));
  } catch (error) {
    if (!(error instanceof Undecodable)) return refused(asGatewayError(error));
    return frameRefused(`The payload is not of schema ${frame.id}: ${error.message}`, error);
  }
};

const frameRefused = (message: string, cause?: unknown): Refused =>
  refused(new GatewayError("FRAME_REFUSED", { message, cause }));
