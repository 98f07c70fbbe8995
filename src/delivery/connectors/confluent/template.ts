/** Templates: texts with `${topic}`, `${key}`, or `${a.b}` for a member of the value's JSON. */
import type { PreparedRecord } from "../../engine/delivery-plan.ts";
import { memberOf, OPEN_BRACE, QUOTE, skipSpace, stringAt, valueAt } from "../../../lib/json-scan.ts";

/** What a reference stands for: the topic, the key, or the steps to a member. */
type Reference = "topic" | "key" | readonly string[];

export type Template = readonly (string | { readonly name: string; readonly reference: Reference })[];

const REFERENCE = /\$\{([^{}:]+)\}/g;

export const parseTemplate = (text: string): Template => {
  const parts = text.split(REFERENCE);
  // `split` returns texts and the captured names by turns.
  return parts.flatMap((part, index): Template => {
    if (index % 2 === 0) return part === "" ? [] : [part];
    return [{ name: part, reference: part === "topic" || part === "key" ? part : part.split(".") }];
  });
};

export const hasReference = (template: Template, wanted: "topic" | "key"): boolean =>
  template.some((part) => typeof part !== "string" && part.reference === wanted);

export type Filled = { readonly text: string } | { readonly reason: string };

/** A string is its text, and any other JSON its own bytes. undefined: there is no such member. */
const memberText = (bytes: Buffer, steps: readonly string[]): Buffer | undefined => {
  let at = skipSpace(bytes, 0);
  for (const step of steps) {
    if (bytes[at] !== OPEN_BRACE) return undefined;
    at = memberOf(bytes, at, step);
    if (at === -1) return undefined;
  }
  return bytes[at] === QUOTE ? Buffer.from(stringAt(bytes, at)) : valueAt(bytes, at);
};

/** The record whose values fill a template. */
export interface TemplateSource {
  readonly record: Pick<PreparedRecord, "topic" | "key" | "value">;
  /** The value is JSON. Otherwise it has no members. */
  readonly isJson: boolean;
}

const NOTHING = Buffer.alloc(0);

const insertedOf = ({ record, isJson }: TemplateSource, reference: Reference): Buffer | undefined => {
  if (reference === "topic") return Buffer.from(record.topic);
  if (reference === "key") return record.key ?? NOTHING;
  return isJson && record.value !== null ? memberText(record.value, reference) : undefined;
};

/** `textOf`: how a value is written into the text. */
export const fill = (
  template: Template,
  source: TemplateSource,
  textOf: (bytes: Buffer) => string,
): Filled => {
  let text = "";
  for (const part of template) {
    if (typeof part === "string") {
      text += part;
      continue;
    }
    const inserted = insertedOf(source, part.reference);
    if (inserted === undefined) return { reason: `the value has no member ${part.name}` };
    text += textOf(inserted);
  }
  return { text };
};

const UNRESERVED = /[A-Za-z0-9\-._~]/;

const ENCODED: readonly string[] = Array.from({ length: 256 }, (_, byte) => {
  const character = String.fromCharCode(byte);
  if (byte < 0x80 && UNRESERVED.test(character)) return character;
  return `%${byte.toString(16).toUpperCase().padStart(2, "0")}`;
});

/** RFC 3986, 2.1: encodes each byte that isn't unreserved. Works on bytes, because a key may be no UTF-8. */
export const percentEncoded = (bytes: Buffer): string =>
  bytes.reduce((text, byte) => text + (ENCODED[byte] ?? ""), "");

export const plainText = (bytes: Buffer): string => bytes.toString("utf8");

/** Header values are sent as Latin-1, so this sends the bytes as they are. */
export const headerText = (bytes: Buffer): string => bytes.toString("latin1");
