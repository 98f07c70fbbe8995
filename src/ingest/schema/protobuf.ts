/** Protocol Buffers by protobufjs: binary events are checked and kept, proto3 JSON events are encoded. */
import protobuf, { type Type } from "protobufjs";
import protojson from "protobufjs/ext/protojson.js";
import { mediaTypeOf } from "../content/content-type.ts";
import { json } from "../content/json.ts";
import { PROTOBUF_MEDIA_TYPE } from "../content/protobuf.ts";
import { type ProtobufDeclaration, schemaUnusable, type ValidatorContext } from "./declaration.ts";
import { eventJson } from "./event-json.ts";
import { exactIntegers } from "./protobuf/exact-integers.ts";
import { checkMessage, decodeStrictly } from "./protobuf/strict.ts";
import { type Accepted, type EventValidator, type Refused, schemaRefused } from "./validator.ts";

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
    if (!json.matches(mediaTypeOf(contentType ?? ""))) return stored(() => checkedBinary(type, value));
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
