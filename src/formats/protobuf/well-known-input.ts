/** Reads the JSON of Google's well-known types. */
import { Digits } from "../digits.ts";
import { isObject, type JsonInput } from "./json-input.ts";
import { numberOf } from "./json-numbers.ts";
import { type ElementValue, Message } from "./message.ts";
import type { MessageType } from "./model.ts";
import { type Instant, parseDuration, parseTimestamp, pathFromJson } from "./times.ts";
import { stringOf, type ScalarValue } from "./scalars.ts";

type FromJson = (type: MessageType, json: unknown, input: JsonInput) => Message;

const time =
  (what: string, parse: (text: string) => Instant | undefined): FromJson =>
  (type, json, input) => {
    if (typeof json !== "string") throw input.mismatch(what, json);
    const instant = parse(json);
    if (instant === undefined) throw input.unfit(what, json);
    return new Message(type, { 1: instant.seconds, 2: instant.nanos });
  };

const mask: FromJson = (type, json, input) => {
  if (typeof json !== "string") throw input.mismatch("a field mask", json);
  const paths = json === "" ? [] : json.split(",").map((path) => pathFromJson(path));
  if (paths.includes(undefined)) throw input.unfit("a field mask in lowerCamelCase", json);
  return new Message(type, { 1: paths as string[] });
};

const wrapper: FromJson = (type, json, input) => {
  const field = type.byNumber.get(1);
  if (field?.element.kind !== "scalar") throw input.refuse("unknown wrapper");
  return new Message(type, { 1: field.element.scalar.fromJson(json, input) });
};

/** The message type of a field, which the well-known files define. */
const typeOf = (type: MessageType, number: number): MessageType => {
  const element = type.byNumber.get(number)?.element;
  if (element?.kind !== "message") throw new TypeError(`${type.name} has no message in field ${number}`);
  return element.message;
};

const struct: FromJson = (type, json, input) => {
  if (!isObject(json)) throw input.mismatch("an object", json);
  const entries = new Map<ScalarValue, ElementValue>();
  for (const [name, value] of Object.entries(json)) {
    input.enterMember(name);
    entries.set(stringOf(name, input), anyValue(typeOf(type, 1), value, input));
    input.leave();
  }
  return new Message(type, { 1: entries });
};

const list: FromJson = (type, json, input) => {
  if (!Array.isArray(json)) throw input.mismatch("an array", json);
  const items = json.map((item: unknown, index) => {
    input.enter(index);
    const own = anyValue(typeOf(type, 1), item, input);
    input.leave();
    return own;
  });
  return new Message(type, { 1: items });
};

/** google.protobuf.Value: null, number, string, bool, struct or list, in the fields 1 to 6. */
const anyValue: FromJson = (type, json, input) => {
  if (json === null) return new Message(type, { 1: 0 });
  if (typeof json === "number" || json instanceof Digits) {
    return new Message(type, { 2: numberOf(json, "a number", input) });
  }
  if (typeof json === "string") return new Message(type, { 3: stringOf(json, input) });
  if (typeof json === "boolean") return new Message(type, { 4: json });
  return Array.isArray(json)
    ? new Message(type, { 6: list(typeOf(type, 6), json, input) })
    : new Message(type, { 5: struct(typeOf(type, 5), json, input) });
};

const WRAPPERS = ["Double", "Float", "Int64", "UInt64", "Int32", "UInt32", "Bool", "String", "Bytes"];

export const WELL_KNOWN_INPUT: ReadonlyMap<string, FromJson> = new Map<string, FromJson>([
  ["google.protobuf.Timestamp", time("a timestamp (RFC 3339)", parseTimestamp)],
  ["google.protobuf.Duration", time("a duration such as 1.5s", parseDuration)],
  ["google.protobuf.FieldMask", mask],
  ["google.protobuf.Struct", struct],
  ["google.protobuf.ListValue", list],
  ["google.protobuf.Value", anyValue],
  ...WRAPPERS.map((name) => [`google.protobuf.${name}Value`, wrapper] as const),
]);
