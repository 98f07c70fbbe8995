/** Decoding that takes a field of the wrong wire type for a fault, not for a field it doesn't know. */
import protobuf, { type Field, type Message, type Type } from "protobufjs";
import { GatewayError } from "../../../errors.ts";

const WIRE_TYPES: Readonly<Record<string, number>> = protobuf.types.basic;
const LENGTH_DELIMITED = 2;
const START_GROUP = 3;

/**
 * Throws where the bytes are not this message: cut off, a field with another wire type than its own, a required field
 * missing, a string that is not UTF-8, nested too deep.
 */
export const decodeStrictly = (type: Type, bytes: Buffer): void => {
  const reader = protobuf.Reader.create(bytes);
  reader.discardUnknown = false;
  checkMessage(type, type.decode(reader));
};

/** Throws where a required field is missing, which encoding doesn't see, or one has come with another's wire type. */
export const checkMessage = (type: Type, message: Message): void => {
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
