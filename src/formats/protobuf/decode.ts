/** Reads the binary form of a message strictly: a field with a wrong wire type is an error. Unknown fields are skipped. */
import { wireTypeOf } from "./encode.ts";
import { type ElementValue, Message } from "./message.ts";
import type { ScalarValue } from "./scalars.ts";
import type { ElementType, FieldType, MessageType } from "./model.ts";
import { END_GROUP, LENGTH, START_GROUP, type WireInput } from "./wire.ts";

/** Reads a message up to the end of the input. Throws Undecodable. */
export const readMessage = (type: MessageType, wire: WireInput, message = new Message(type)): Message => {
  wire.enter(levelsOf(type));
  while (!wire.isAtEnd) {
    const { number, wireType } = wire.tag();
    readField(message, number, wireType, wire);
  }
  return finished(message, wire);
};

/** Reads a group, up to the tag of its end. */
const readGroup = (message: Message, group: number, wire: WireInput): Message => {
  wire.enter(levelsOf(message.type));
  for (let tag = wire.tag(); tag.wireType !== END_GROUP || tag.number !== group; tag = wire.tag()) {
    readField(message, tag.number, tag.wireType, wire);
  }
  return finished(message, wire);
};

const finished = (message: Message, wire: WireInput): Message => {
  wire.leave(levelsOf(message.type));
  const missing = message.missing();
  if (missing !== undefined) throw wire.fail(`no field ${missing}, which ${message.type.name} requires,`);
  return message;
};

/** Levels of JSON that a message adds to the list or map around it. A Value and a Struct are their content. */
const WITHOUT_LEVEL = new Set([
  "google.protobuf.Struct",
  "google.protobuf.Value",
  "google.protobuf.ListValue",
]);
const levelsOf = ({ isWellKnown, name }: MessageType): number =>
  isWellKnown && WITHOUT_LEVEL.has(name) ? 0 : 1;

const readField = (message: Message, number: number, wireType: number, wire: WireInput): void => {
  wire.spend();
  const field = message.type.byNumber.get(number);
  if (field === undefined) wire.skip(number, wireType);
  else if (field.key !== undefined) readEntry(message, field, wireType, wire);
  else if (field.list) readItems(message, field, wireType, wire);
  else readSingle(message, field, wireType, wire);
};

const readSingle = (message: Message, field: FieldType, wireType: number, wire: WireInput): void => {
  // A message that comes twice is merged.
  const earlier = message.get(field);
  const value = readElement(field, wireType, wire, earlier instanceof Message ? earlier : undefined);
  if (value !== undefined) message.set(field, value);
};

const readItems = (message: Message, field: FieldType, wireType: number, wire: WireInput): void => {
  let items = message.get(field) as ElementValue[] | undefined;
  if (items === undefined) message.set(field, (items = []));
  const { element } = field;
  if (wireType === LENGTH && element.kind !== "message" && wireTypeOf(element) !== LENGTH) {
    const run = wire.part();
    while (!run.isAtEnd) {
      run.spend();
      const item = readScalar(element, run);
      if (item !== undefined) items.push(item);
    }
    wire.at = run.at;
  } else {
    wire.enter(1);
    const item = readElement(field, wireType, wire);
    if (item !== undefined) items.push(item);
    wire.leave(1);
  }
};

const readEntry = (message: Message, field: FieldType, wireType: number, wire: WireInput): void => {
  const { key, element } = field;
  if (wireType !== LENGTH || key === undefined) throw mismatch(field, wireType, wire);
  let entries = message.get(field) as Map<ScalarValue, ElementValue> | undefined;
  if (entries === undefined) message.set(field, (entries = new Map()));
  wire.enter(1);
  const part = wire.part();
  let name: ScalarValue | undefined;
  let value: ElementValue | undefined;
  let isUnknown = false;
  while (!part.isAtEnd) {
    const tag = part.tag();
    if (tag.number === 1) {
      if (tag.wireType !== key.wireType) throw mismatch(field, tag.wireType, part);
      name = key.read(part);
    } else if (tag.number === 2) {
      value = readElement(field, tag.wireType, part);
      isUnknown = value === undefined;
    } else {
      part.skip(tag.number, tag.wireType);
    }
  }
  wire.at = part.at;
  wire.leave(1);
  if (!isUnknown) entries.set(name ?? defaultOf(key.name), value ?? defaultValue(element));
};

/** The value of a field; undefined: a value that a closed enum does not have. */
const readElement = (
  field: FieldType,
  wireType: number,
  wire: WireInput,
  earlier?: Message,
): ElementValue | undefined => {
  const { element, number } = field;
  if (wireType !== wireTypeOf(element)) throw mismatch(field, wireType, wire);
  if (element.kind !== "message") return readScalar(element, wire);
  const { message: type } = element;
  const message = earlier ?? new Message(type);
  if (wireType === START_GROUP) return readGroup(message, number, wire);
  const part = wire.part();
  readMessage(type, part, message);
  wire.at = part.at;
  return message;
};

const readScalar = (element: ElementType, wire: WireInput): ScalarValue | undefined => {
  if (element.kind === "scalar") return element.scalar.read(wire);
  const value = wire.varint() | 0;
  return element.kind === "enum" && element.enum.closed && !element.enum.byNumber.has(value)
    ? undefined
    : value;
};

const mismatch = (field: FieldType, wireType: number, wire: WireInput): Error =>
  wire.fail(`the field ${field.name} has the wire type ${wireType}`);

/** The key or value that an entry of a map leaves out. */
const defaultOf = (scalar: string): ScalarValue => {
  if (scalar === "string") return "";
  if (scalar === "bytes") return Buffer.alloc(0);
  if (scalar === "bool") return false;
  return scalar.endsWith("64") ? 0n : 0;
};

const defaultValue = (element: ElementType): ElementValue => {
  if (element.kind === "message") return new Message(element.message);
  if (element.kind === "scalar") return defaultOf(element.scalar.name);
  return element.enum.byName.values().next().value ?? 0;
};
