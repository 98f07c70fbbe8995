/** Protobuf schemas, by protobufjs. Binary events are checked and stored unchanged; proto3 JSON events are encoded. */
import protobuf, { type Field, type Message, type Type } from "protobufjs";
import protojson from "protobufjs/ext/protojson.js";
import { GatewayError } from "../../errors.ts";
import { JSON_MEDIA_TYPE, mediaTypeOf, PROTOBUF_MEDIA_TYPE } from "../content/content-type.ts";
import {
  type Accepted,
  eventJson,
  type FileValidator,
  type ProtobufDeclaration,
  type Refused,
  schemaRefused,
  schemaUnusable,
  type ValidatorContext,
} from "./validator.ts";

/** Strings and numbers of a JSON text. Strings are matched so that digits inside them are skipped. */
const TOKENS = /"[^"\\]*(?:\\.[^"\\]*)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g;
const MANY_DIGITS = /\d{16}/;
const LONG_INTEGER = /^-?\d{16,}$/;

/**
 * Puts quotes around the integers that a double can't represent, because `JSON.parse` would round them. In proto3 JSON a
 * string of digits is the same value as the number.
 */
const exactIntegers = (text: string): string =>
  MANY_DIGITS.test(text) ? text.replace(TOKENS, (token) => (isInexact(token) ? `"${token}"` : token)) : text;

const isInexact = (token: string): boolean =>
  LONG_INTEGER.test(token) && BigInt(token) !== BigInt(Number(token));

const WIRE_TYPES: Readonly<Record<string, number>> = protobuf.types.basic;
const LENGTH_DELIMITED = 2;
const START_GROUP = 3;

/**
 * Throws if the bytes are not a valid message: truncated, a field with a wrong wire type, a required field missing, a
 * string that is not UTF-8, or nested too deep. protobufjs alone treats a field with a wrong wire type as an unknown field.
 */
const decodeStrictly = (type: Type, bytes: Buffer): void => {
  const reader = protobuf.Reader.create(bytes);
  reader.discardUnknown = false;
  checkMessage(type, type.decode(reader));
};

/** Throws if a required field is missing, which `encode` does not check, or if a known field has a wrong wire type. */
const checkMessage = (type: Type, message: Message): void => {
  for (const raw of message.$unknowns ?? []) checkUnknown(type, raw);
  for (const field of type.fieldsArray) {
    if (!Object.hasOwn(message, field.name)) {
      if (field.required) throw new GatewayError("SCHEMA_REFUSED");
    } else if (field.resolvedType instanceof protobuf.Type) {
      for (const child of messagesIn(field, (message as unknown as Record<string, unknown>)[field.name])) {
        checkMessage(field.resolvedType, child);
      }
    }
  }
};

const messagesIn = (field: Field, value: unknown): readonly Message[] => {
  if (field.map) return Object.values(value as Record<string, Message>);
  return field.repeated ? (value as Message[]) : [value as Message];
};

/** Checks a field that `decode` left undecoded. The value of an enum may be unknown; any other known field has a wrong wire type. */
const checkUnknown = (type: Type, raw: Uint8Array): void => {
  const tag = protobuf.Reader.create(raw).uint32();
  const field = type.fieldsById[tag >>> 3];
  if (field !== undefined && (tag & 7) !== wireTypeOf(field)) throw new GatewayError("SCHEMA_REFUSED");
};

const wireTypeOf = ({ resolvedType, type, delimited, map }: Field): number => {
  if (resolvedType instanceof protobuf.Enum) return 0;
  if (map || resolvedType !== null) return delimited ? START_GROUP : LENGTH_DELIMITED;
  return WIRE_TYPES[type] ?? LENGTH_DELIMITED;
};

/**
 * Compiles a message of a .proto file. Imports are relative to the file. An event of type application/json must be
 * proto3 JSON without unknown fields. Every other event must be the binary form of the message; it may have unknown fields,
 * because a producer may use a newer version of the message. Records are always binary. Throws SETTINGS_INVALID.
 */
export const loadProtobuf = (
  { file, message }: ProtobufDeclaration,
  context: ValidatorContext,
): FileValidator => {
  try {
    // `load` throws some errors outside of its promise.
    const root = new protobuf.Root().loadSync(file);
    return createValidator(root.resolveAll().lookupType(message), context);
  } catch (error) {
    throw schemaUnusable(context, file, error);
  }
};

const createValidator = (type: Type, { limits }: ValidatorContext): FileValidator => ({
  kind: "protobuf",
  validate: (value, contentType) => {
    if (mediaTypeOf(contentType ?? "") !== JSON_MEDIA_TYPE) return stored(() => checkedBinary(type, value));
    const event = eventJson(value, limits);
    return event.status === "refused" ? event : stored(() => encoded(type, value));
  },
  asJson: (value) => Buffer.from(protojson.toJsonString(type, type.decode(value))),
});

const stored = (binary: () => Buffer): Accepted | Refused => {
  try {
    return { status: "accepted", value: binary(), contentType: PROTOBUF_MEDIA_TYPE };
  } catch (error) {
    return schemaRefused("invalid message format, expecting protobuf", error);
  }
};

const checkedBinary = (type: Type, event: Buffer): Buffer => {
  decodeStrictly(type, event);
  return event;
};

const encoded = (type: Type, event: Buffer): Buffer => {
  const message = protojson.fromJsonString(type, exactIntegers(event.toString()));
  checkMessage(type, message);
  const { buffer, byteOffset, byteLength } = type.encode(message).finish();
  return Buffer.from(buffer, byteOffset, byteLength);
};
