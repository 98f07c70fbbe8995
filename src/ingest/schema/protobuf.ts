/** Protobuf schemas from files. Binary events are checked and stored unchanged; proto3 JSON events are encoded. */
import { loadProto } from "../../formats/protobuf/files.ts";
import { createMessageTypes, type MessageType } from "../../formats/protobuf/model.ts";
import { decodeToJson, encodeJson, requireMessage } from "../../formats/protobuf/protobuf.ts";
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
    const proto = loadProto(file);
    return createValidator(createMessageTypes(proto).of(proto.root.lookupType(message)), context);
  } catch (error) {
    throw schemaUnusable(context, file, error);
  }
};

const createValidator = (type: MessageType, { limits }: ValidatorContext): FileValidator => ({
  kind: "protobuf",
  validate: (value, contentType) => {
    if (mediaTypeOf(contentType ?? "") !== JSON_MEDIA_TYPE) {
      return stored(() => {
        requireMessage(type, value, limits);
        return value;
      });
    }
    const event = eventJson(value, limits);
    return event.status === "refused" ? event : stored(() => encodeJson(type, value, event.json));
  },
  asJson: (value) => decodeToJson(type, value, { ...limits, maxBytes: Infinity }),
});

const stored = (binary: () => Buffer): Accepted | Refused => {
  try {
    return { status: "accepted", value: binary(), contentType: PROTOBUF_MEDIA_TYPE };
  } catch (error) {
    return schemaRefused("invalid message format, expecting protobuf", error);
  }
};
