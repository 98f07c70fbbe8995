/** Protobuf as a format of the registry: the index path of the message, then its binary form. */
import {
  type CompiledSchema,
  DataRefused,
  type FormatLimits,
  MAX_DECODED_VALUES,
  type SchemaSource,
  SchemaUnusable,
  Undecodable,
} from "../format.ts";
import { endOfString, QUOTE } from "../../lib/json-scan.ts";
import { FRAME_BYTES, frameFor } from "../frame.ts";
import { needsDigits, parseWithDigits } from "../digits.ts";
import { parseJson } from "../json.ts";
import { readMessage } from "./decode.ts";
import { writeMessage } from "./encode.ts";
import { linkProto } from "./files.ts";
import { messageFromJson } from "./from-json.ts";
import { declaredIn, pathBytes, readPath } from "./index-path.ts";
import { JsonInput } from "./json-input.ts";
import { createMessageTypes, type MessageType, nameOf } from "./model.ts";
import { messageToJson } from "./to-json.ts";
import { type WireBudget, WireInput, WireOutput } from "./wire.ts";

interface Declared {
  readonly type: MessageType;
  readonly path: Buffer;
}

/** Compiles a .proto file, or a FileDescriptorProto in base64. Throws SchemaUnusable. */
export const compileProtobuf = (source: SchemaSource, limits: FormatLimits): CompiledSchema => {
  const linked = linkProto(source);
  const types = createMessageTypes(linked);
  const byName = new Map<string, Declared>();
  const byPath = new Map<string, MessageType>();
  for (const [reflected, path] of declaredIn(linked.messages)) {
    const type = types.of(reflected);
    byName.set(type.name, { type, path: pathBytes(path) });
    byPath.set(path.join(","), type);
  }
  const [first] = linked.messages;
  if (first === undefined) throw new SchemaUnusable("the schema declares no message");
  const declared = (name = nameOf(first)): Declared => {
    const found = byName.get(name);
    if (found === undefined) throw new SchemaUnusable(`the schema declares no message ${name}`);
    return found;
  };
  return {
    type: "PROTOBUF",
    name: nameOf(first),
    declares: (message) => byName.has(message),
    encode: (json, id, message) => {
      const { type, path } = declared(message);
      return framed(id, path, encodeJson(type, json, parseJson(json, limits)));
    },
    frame: (binary, id, message) => {
      const { type, path } = declared(message);
      requireMessage(type, binary, limits);
      return framed(id, path, binary);
    },
    decode: (payload) => {
      const { path, end } = readPath(payload);
      const type = byPath.get(path);
      if (type === undefined) throw new Undecodable("protobuf: an index path that names no message");
      return decodeToJson(type, payload.subarray(end), limits);
    },
  };
};

const framed = (id: number, path: Buffer, binary: Buffer): Buffer => {
  const bytes = frameFor(id, path.length + binary.length);
  path.copy(bytes, FRAME_BYTES);
  binary.copy(bytes, FRAME_BYTES + path.length);
  return bytes;
};

/** Proto3 JSON to the binary form. `parsed` is the result of parseJson. Throws DataRefused. */
export const encodeJson = (type: MessageType, json: Buffer, parsed: unknown): Buffer => {
  const input = new JsonInput();
  const exact = needsDigits(json) ? parseWithDigits(json.toString()) : parsed;
  const message = messageFromJson(type, exact, input);
  if (input.members !== membersOf(json)) throw input.refuse("an object has a member twice");
  const out = new WireOutput();
  writeMessage(message, out);
  return out.done();
};

const COLON = 0x3a;

/** The number of members of all objects of a JSON text. The parser keeps only the last one of each name. */
const membersOf = (json: Buffer): number => {
  let members = 0;
  for (let at = 0; at < json.length; at++) {
    if (json[at] === QUOTE) at = endOfString(json, at) - 1;
    else if (json[at] === COLON) members++;
  }
  return members;
};

type Limits = Pick<FormatLimits, "maxDepth" | "maxValues" | "maxMembers">;

const budgetOf = ({ maxDepth }: Limits): WireBudget => ({ values: MAX_DECODED_VALUES, depth: maxDepth });

/** Throws DataRefused if the bytes are no such message. Unknown fields are allowed: the sender may use a newer schema. */
export const requireMessage = (type: MessageType, binary: Buffer, limits: Limits): void => {
  try {
    readMessage(type, new WireInput(binary, budgetOf(limits)));
  } catch (error) {
    throw error instanceof Undecodable ? new DataRefused(error.message) : error;
  }
};

/** The binary form to proto3 JSON. Throws Undecodable. */
export const decodeToJson = (
  type: MessageType,
  binary: Buffer,
  limits: Limits & Pick<FormatLimits, "maxBytes">,
): Buffer => {
  if (binary.length > limits.maxBytes) throw new Undecodable(`larger than ${limits.maxBytes} bytes`);
  const budget = budgetOf(limits);
  return messageToJson(readMessage(type, new WireInput(binary, budget)), limits.maxBytes, budget);
};
