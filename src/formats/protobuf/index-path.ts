/**
 * The index path of a message: which message of the schema's text a record has. It counts the messages that the text
 * declares, in their order. The hidden messages of maps and groups don't count, as in Java.
 */
import { Type } from "protobufjs";
import { Undecodable } from "../format.ts";
import { WireInput, WireOutput } from "./wire.ts";

/** All messages that a file declares, with their index paths. The depth is limited by protobufjs. */
export const declaredIn = (
  messages: readonly Type[],
  path: readonly number[] = [],
): readonly (readonly [Type, readonly number[]])[] =>
  messages.flatMap((type, index) => {
    const own = [...path, index];
    return [[type, own] as const, ...declaredIn(messagesIn(type), own)];
  });

const messagesIn = (type: Type): readonly Type[] =>
  type.nestedArray.filter((nested) => nested instanceof Type).filter((nested) => !isGroup(nested));

/** protobufjs marks a group, but does not declare the mark. */
const isGroup = (type: Type & { readonly group?: boolean }): boolean => type.group === true;

/** The count and the indexes as zigzag varints. The path [0] is the one byte 0. */
export const pathBytes = (path: readonly number[]): Buffer => {
  if (path.length === 1 && path[0] === 0) return Buffer.from([0]);
  const out = new WireOutput();
  for (const number of [path.length, ...path]) out.varint(number << 1);
  return out.done();
};

/** Longest path that is read: messages are not nested deeper in any schema. */
const LONGEST = 100;

/** The path as a text, for a look-up, and the offset behind it. Throws Undecodable. */
export const readPath = (payload: Buffer): { readonly path: string; readonly end: number } => {
  const wire = new WireInput(payload, { values: LONGEST + 1, depth: 0 });
  const count = zigzag(wire);
  if (count < 0 || count > LONGEST) throw new Undecodable("protobuf: an index path that names no message");
  const path = Array.from({ length: count }, () => zigzag(wire));
  return { path: count === 0 ? "0" : path.join(","), end: wire.at };
};

const zigzag = (wire: WireInput): number => {
  const value = wire.varint64();
  return value > 0xffff_ffffn ? -1 : Number((value >> 1n) ^ -(value & 1n));
};
