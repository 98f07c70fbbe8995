/** Writes proto3 JSON: 64-bit integers as strings, enums by name, bytes in base64, without fields that have their default. */
import { Undecodable } from "../format.ts";
import { readMessage } from "./decode.ts";
import { type ElementValue, type FieldValue, Message } from "./message.ts";
import type { ScalarValue } from "./scalars.ts";
import type { ElementType, FieldType } from "./model.ts";
import { durationText, pathToJson, timestampText } from "./times.ts";
import { WireInput, type WireBudget } from "./wire.ts";

/** The text while it is written. */
class JsonText {
  text = "";
  readonly budget: WireBudget;
  readonly #most: number;

  constructor(most: number, budget: WireBudget) {
    this.#most = most;
    this.budget = budget;
  }

  add(text: string): void {
    if (this.text.length + text.length > this.#most) {
      throw new Undecodable(`protobuf: the JSON is larger than ${this.#most} bytes`);
    }
    this.text += text;
  }
}

/** Throws Undecodable if the JSON is larger than `most` bytes, or if a well-known type has no JSON. */
export const messageToJson = (message: Message, most: number, budget: WireBudget): Buffer => {
  const out = new JsonText(most, budget);
  writeMessage(message, out);
  const json = Buffer.from(out.text);
  if (json.length > most) throw new Undecodable(`protobuf: the JSON is larger than ${most} bytes`);
  return json;
};

const writeMessage = (message: Message, out: JsonText): void => {
  const special = message.type.isWellKnown ? WELL_KNOWN.get(message.type.name) : undefined;
  if (special !== undefined) {
    special(message, out);
    return;
  }
  out.add("{");
  writeFields(message, "", out);
  out.add("}");
};

const writeFields = (message: Message, first: string, out: JsonText): void => {
  let separator = first;
  for (const [field, value] of message.present()) {
    out.add(`${separator}${JSON.stringify(field.jsonName)}:`);
    writeField(field, value, out);
    separator = ",";
  }
};

const writeField = ({ element }: FieldType, value: FieldValue, out: JsonText): void => {
  if (Array.isArray(value)) writeList(element, value, out);
  else if (value instanceof Map) writeMap(element, value, out);
  else writeElement(element, value, out);
};

const writeList = (element: ElementType, items: readonly ElementValue[], out: JsonText): void => {
  let separator = "[";
  for (const item of items) {
    out.add(separator);
    writeElement(element, item, out);
    separator = ",";
  }
  out.add(items.length === 0 ? "[]" : "]");
};

const writeMap = (
  element: ElementType,
  entries: ReadonlyMap<ScalarValue, ElementValue>,
  out: JsonText,
): void => {
  let separator = "{";
  for (const [key, value] of entries) {
    out.add(`${separator}${JSON.stringify(String(key))}:`);
    writeElement(element, value, out);
    separator = ",";
  }
  out.add(entries.size === 0 ? "{}" : "}");
};

const writeElement = (element: ElementType, value: ElementValue, out: JsonText): void => {
  if (value instanceof Message) writeMessage(value, out);
  else if (element.kind === "scalar") out.add(element.scalar.toJson(value));
  else if (element.kind === "enum") out.add(enumText(element, value as number));
};

const enumText = ({ enum: type }: ElementType & { kind: "enum" }, number: number): string => {
  if (type.isNull) return "null";
  const name = type.byNumber.get(number);
  return name === undefined ? String(number) : `"${name}"`;
};

type ToJson = (message: Message, out: JsonText) => void;

const unwritable = ({ type }: Message): Undecodable =>
  new Undecodable(`protobuf: a ${type.name} that has no form in JSON`);

const time =
  (textOf: typeof timestampText): ToJson =>
  (message, out) => {
    const text = textOf({
      seconds: (message.at(1) as bigint | undefined) ?? 0n,
      nanos: (message.at(2) as number | undefined) ?? 0,
    });
    if (text === undefined) throw unwritable(message);
    out.add(`"${text}"`);
  };

const mask: ToJson = (message, out) => {
  const paths = ((message.at(1) as string[] | undefined) ?? []).map(pathToJson);
  if (paths.includes(undefined)) throw unwritable(message);
  out.add(JSON.stringify(paths.join(",")));
};

/** The field 1, or the default of its type. */
const wrapper: ToJson = (message, out) => {
  const [field] = message.type.fields;
  if (field?.element.kind !== "scalar") throw unwritable(message);
  const { scalar } = field.element;
  const value = message.get(field) as ScalarValue | undefined;
  out.add(value === undefined ? (WRAPPED_DEFAULTS.get(scalar.name) ?? "0") : scalar.toJson(value));
};

const WRAPPED_DEFAULTS: ReadonlyMap<string, string> = new Map([
  ["int64", '"0"'],
  ["uint64", '"0"'],
  ["bool", "false"],
  ["string", '""'],
  ["bytes", '""'],
]);

const content =
  (empty: string): ToJson =>
  (message, out) => {
    const [field] = message.type.fields;
    const value = message.at(1);
    if (field === undefined || value === undefined) out.add(empty);
    else writeField(field, value, out);
  };

const anyValue: ToJson = (message, out) => {
  const [only] = message.present();
  if (only === undefined) throw unwritable(message);
  const [field, value] = only;
  // JSON has no number for NaN and the infinities, and a string would be another value.
  if (typeof value === "number" && !Number.isFinite(value)) throw unwritable(message);
  writeField(field, value, out);
};

const any: ToJson = (message, out) => {
  const url = (message.at(1) as string | undefined) ?? "";
  const bytes = (message.at(2) as Buffer | undefined) ?? Buffer.alloc(0);
  if (url === "" && bytes.length === 0) {
    out.add("{}");
    return;
  }
  const type = message.type.lookUp(url.slice(url.lastIndexOf("/") + 1));
  if (type === undefined) throw unwritable(message);
  const inner = readMessage(type, new WireInput(bytes, out.budget));
  out.add(`{"@type":${JSON.stringify(url)}`);
  if (type.isWellKnown && WELL_KNOWN.has(type.name)) {
    out.add(',"value":');
    writeMessage(inner, out);
  } else {
    writeFields(inner, ",", out);
  }
  out.add("}");
};

const WRAPPERS = ["Double", "Float", "Int64", "UInt64", "Int32", "UInt32", "Bool", "String", "Bytes"];

const WELL_KNOWN: ReadonlyMap<string, ToJson> = new Map<string, ToJson>([
  ["google.protobuf.Timestamp", time(timestampText)],
  ["google.protobuf.Duration", time(durationText)],
  ["google.protobuf.FieldMask", mask],
  ["google.protobuf.Struct", content("{}")],
  ["google.protobuf.ListValue", content("[]")],
  ["google.protobuf.Value", anyValue],
  ["google.protobuf.Any", any],
  ...WRAPPERS.map((name) => [`google.protobuf.${name}Value`, wrapper] as const),
]);
