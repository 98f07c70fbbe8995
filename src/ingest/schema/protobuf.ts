/** Protocol Buffers by protobufjs: binary events are checked and kept, proto3 JSON events are encoded. */
import protobuf, { type Field, type Message, type Type } from "protobufjs";
import protojson from "protobufjs/ext/protojson.js";
import { GatewayError } from "../../errors.ts";
import { JSON_MEDIA_TYPE, mediaTypeOf, PROTOBUF_MEDIA_TYPE } from "../content/content-type.ts";
import {
  type Accepted,
  eventJson,
  type EventValidator,
  type ProtobufDeclaration,
  type Refused,
  schemaRefused,
  schemaUnusable,
  type ValidatorContext,
} from "./validator.ts";

/** 64-bit integers in JSON: as numbers they don't survive `JSON.parse`. */

/** Strings, so that nothing inside them is taken for a number, and whole numbers as JSON writes them. */
const TOKENS = /"[^"\\]*(?:\\.[^"\\]*)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g;
const MANY_DIGITS = /\d{16}/;
const LONG_INTEGER = /^-?\d{16,}$/;

/**
 * The same JSON with each integer that a double can't hold written as a string, which proto3 JSON takes for the same
 * number wherever it takes a number.
 */
const exactIntegers = (text: string): string =>
  MANY_DIGITS.test(text) ? text.replace(TOKENS, (token) => (isInexact(token) ? `"${token}"` : token)) : text;

const isInexact = (token: string): boolean =>
  LONG_INTEGER.test(token) && BigInt(token) !== BigInt(Number(token));

/** Decoding that takes a field of the wrong wire type for a fault, not for a field it doesn't know. */

const WIRE_TYPES: Readonly<Record<string, number>> = protobuf.types.basic;
const LENGTH_DELIMITED = 2;
const START_GROUP = 3;

/**
 * Throws where the bytes are not this message: cut off, a field with another wire type than its own, a required field
 * missing, a string that is not UTF-8, nested too deep.
 */
const decodeStrictly = (type: Type, bytes: Buffer): void => {
  const reader = protobuf.Reader.create(bytes);
  reader.discardUnknown = false;
  checkMessage(type, type.decode(reader));
};

/** Throws where a required field is missing, which encoding doesn't see, or one has come with another's wire type. */
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

/** A known field among the unknown has the wrong wire type, unless it is an enum whose number isn't one of its own. */
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
 * Compiles a message of a .proto file, imports relative to it included. Events of type application/json are read as
 * proto3 JSON, unknown fields refused; all others must be the message's binary form, in which fields that the message
 * doesn't know are nobody's fault (it may be a newer one). What is stored is binary, and so is its content type.
 * Throws SETTINGS_INVALID.
 */
export const loadProtobuf = (
  { file, message }: ProtobufDeclaration,
  context: ValidatorContext,
): EventValidator => {
  try {
    // Its asynchronous twin throws some faults where nobody can catch them.
    const root = new protobuf.Root().loadSync(file);
    return createValidator(root.resolveAll().lookupType(message), context);
  } catch (error) {
    throw schemaUnusable(context, file, error);
  }
};

const createValidator = (type: Type, { limits }: ValidatorContext): EventValidator => ({
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
