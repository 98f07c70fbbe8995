/** Reads proto3 JSON. */
import { writeMessage } from "./encode.ts";
import { isObject, type JsonInput } from "./json-input.ts";
import { wholeOf } from "./json-numbers.ts";
import { type ElementValue, type FieldValue, Message } from "./message.ts";
import type { ElementType, EnumType, FieldType, MessageType } from "./model.ts";
import type { Scalar, ScalarValue } from "./scalars.ts";
import { WELL_KNOWN_INPUT } from "./well-known-input.ts";
import { WireOutput } from "./wire.ts";

const ANY = "google.protobuf.Any";

/** Throws DataRefused for JSON that is not exactly the message: an unknown member is a refusal, too. */
export const messageFromJson = (type: MessageType, json: unknown, input: JsonInput): Message => {
  if (type.isWellKnown && type.name === ANY) return anyFromJson(type, json, input);
  const special = type.isWellKnown ? WELL_KNOWN_INPUT.get(type.name) : undefined;
  return special === undefined ? ordinary(type, json, input) : special(type, json, input);
};

/** A message by its fields. `skipped` is a member that is no field. */
const ordinary = (type: MessageType, json: unknown, input: JsonInput, skipped?: string): Message => {
  if (!isObject(json)) throw input.mismatch(`an object (${type.name})`, json);
  const message = new Message(type);
  for (const [name, value] of Object.entries(json)) {
    input.enterMember(name);
    if (name === skipped) {
      input.leave();
      continue;
    }
    const field = type.byName.get(name);
    if (field === undefined) throw input.refuse(`${type.name} has no such field`);
    if (value !== null || acceptsNull(field)) add(message, field, fieldFromJson(field, value, input), input);
    input.leave();
  }
  const missing = message.missing();
  if (missing !== undefined) throw input.refuse(`the required field ${missing} is missing`);
  return message;
};

const add = (message: Message, field: FieldType, value: FieldValue, input: JsonInput): void => {
  if (message.get(field) !== undefined) throw input.refuse("the field is given twice, in both spellings");
  const other = message.chosen(field);
  if (other !== undefined) throw input.refuse(`${field.name} and ${other.name} exclude each other (oneof)`);
  message.set(field, value);
};

/** null is a value of google.protobuf.Value and NullValue. Elsewhere it is the same as an absent member. */
const acceptsNull = ({ element, list, key }: FieldType): boolean =>
  !list && key === undefined && isNullable(element);

const isNullable = (element: ElementType): boolean =>
  element.kind === "message"
    ? element.message.isWellKnown && element.message.name === "google.protobuf.Value"
    : element.kind === "enum" && element.enum.isNull;

const fieldFromJson = (field: FieldType, value: unknown, input: JsonInput): FieldValue => {
  const { element, key } = field;
  if (key !== undefined) return mapFromJson(key, element, value, input);
  if (!field.list) return elementFromJson(element, value, input);
  if (!Array.isArray(value)) throw input.mismatch("an array", value);
  return value.map((item: unknown, index) => {
    input.enter(index);
    const own = elementFromJson(element, item, input);
    input.leave();
    return own;
  });
};

const mapFromJson = (key: Scalar, element: ElementType, json: unknown, input: JsonInput): FieldValue => {
  if (!isObject(json)) throw input.mismatch("an object (map)", json);
  const entries = new Map<ScalarValue, ElementValue>();
  for (const [name, value] of Object.entries(json)) {
    input.enterMember(name);
    const own = key.fromJson(key.name === "bool" ? (BOOLEANS.get(name) ?? name) : name, input);
    if (entries.has(own)) throw input.refuse("the map has this key twice");
    entries.set(own, elementFromJson(element, value, input));
    input.leave();
  }
  return entries;
};

const BOOLEANS: ReadonlyMap<string, boolean> = new Map([
  ["true", true],
  ["false", false],
]);

const elementFromJson = (element: ElementType, json: unknown, input: JsonInput): ElementValue => {
  if (element.kind === "scalar") return element.scalar.fromJson(json, input);
  if (element.kind === "enum") return enumFromJson(element.enum, json, input);
  return messageFromJson(element.message, json, input);
};

const INT32 = { min: -(2n ** 31n), max: 2n ** 31n - 1n };

/** A name, or a number, also as a string. */
const enumFromJson = (type: EnumType, json: unknown, input: JsonInput): number => {
  if (json === null && type.isNull) return 0;
  const named = typeof json === "string" ? type.byName.get(json) : undefined;
  if (named !== undefined) return named;
  const number = Number(wholeOf(json, { name: `a value of ${type.name}`, ...INT32 }, input));
  if (type.closed && !type.byNumber.has(number)) throw input.refuse(`${type.name} has no value ${number}`);
  return number;
};

/** The member `@type` names the message, whose members stand beside it. */
const anyFromJson = (type: MessageType, json: unknown, input: JsonInput): Message => {
  if (!isObject(json)) throw input.mismatch("an object (google.protobuf.Any)", json);
  const members = Object.keys(json);
  if (members.length === 0) return new Message(type);
  const url = Object.hasOwn(json, "@type") ? json["@type"] : undefined;
  const inner = typeof url === "string" ? type.lookUp(url.slice(url.lastIndexOf("/") + 1)) : undefined;
  if (typeof url !== "string" || inner === undefined || !url.includes("/")) {
    input.enter("@type");
    throw input.refuse("expected the URL of a message that the schema knows");
  }
  const message = hasOwnJson(inner) ? ofValue(inner, json, input) : ordinary(inner, json, input, "@type");
  const out = new WireOutput();
  writeMessage(message, out);
  return new Message(type, { 1: url, 2: out.done() });
};

/** Inside of an Any, a type whose JSON is no object with its fields is the member `value`. */
const ofValue = (type: MessageType, json: Readonly<Record<string, unknown>>, input: JsonInput): Message => {
  for (const name of Object.keys(json)) {
    if (name === "@type" || name === "value") continue;
    input.enter(name);
    throw input.refuse("expected the members @type and value only");
  }
  // Counts the member `@type`.
  input.members++;
  input.enterMember("value");
  if (!Object.hasOwn(json, "value")) throw input.refuse("the member is missing");
  const message = messageFromJson(type, json["value"], input);
  input.leave();
  return message;
};

const hasOwnJson = ({ isWellKnown, name }: MessageType): boolean =>
  isWellKnown && (name === ANY || WELL_KNOWN_INPUT.has(name));
