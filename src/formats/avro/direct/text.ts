/** Strings of a JSON text: string, bytes, fixed and enum. */
import { endOfString, QUOTE } from "../../../lib/json-scan.ts";
import type { AvroOutput } from "../output.ts";
import type { EnumType, FixedType } from "../types.ts";
import type { Direct, JsonInput } from "./input.ts";

const BACKSLASH = 0x5c;
const FIRST_PLAIN = 0x20;
const LAST_ASCII = 0x7f;
/** Longest text whose length is one byte. A loop copies it faster than a call of Buffer.copy. */
const SHORT = 63;

export const directString: Direct = (input, output) => {
  if (input.next() !== QUOTE) return false;
  output.reserve(1 + SHORT);
  const { bytes } = input;
  const { bytes: target, at: start } = output;
  const first = input.at + 1;
  const most = Math.min(bytes.length, first + SHORT + 1);
  let to = start + 1;
  let all = 0;
  for (let at = first; at < most; at++) {
    const byte = bytes[at] ?? 0;
    if (byte === QUOTE) {
      if (all > LAST_ASCII) input.isUnchecked = true;
      target[start] = (at - first) << 1;
      output.at = to;
      input.at = at + 1;
      return true;
    }
    if (byte < FIRST_PLAIN || byte === BACKSLASH) break;
    all |= byte;
    target[to++] = byte;
  }
  return longString(input, output);
};

const longString = (input: JsonInput, output: AvroOutput): boolean => {
  const { bytes } = input;
  const first = input.at + 1;
  const end = endOfPlain(input);
  if (end < 0) {
    const text = parsed(input);
    return text !== undefined && output.string(text);
  }
  output.int(end - first);
  output.reserve(end - first);
  bytes.copy(output.bytes, output.at, first, end);
  output.at += end - first;
  input.at = end + 1;
  return true;
};

/** Offset of the quote that ends the string at `input.at`; -1: the string has escapes, or no end. */
export const endOfPlain = (input: JsonInput): number => {
  const { bytes } = input;
  let all = 0;
  for (let at = input.at + 1; at < bytes.length; at++) {
    const byte = bytes[at] ?? 0;
    if (byte === QUOTE) {
      if (all > LAST_ASCII) input.isUnchecked = true;
      return at;
    }
    if (byte < FIRST_PLAIN || byte === BACKSLASH) return -1;
    all |= byte;
  }
  return -1;
};

/** Passes a string with escapes or with characters beyond ASCII; undefined: it is no JSON string. */
const parsed = (input: JsonInput): string | undefined => {
  const { bytes, at } = input;
  const end = endOfString(bytes, at);
  input.isUnchecked = true;
  input.at = end;
  try {
    return JSON.parse(bytes.toString("utf8", at, end)) as string;
  } catch {
    return undefined;
  }
};

/** Each character is one byte. Characters beyond ASCII have two bytes in JSON, or an escape. */
const latin1Text = (input: JsonInput): string | undefined =>
  input.next() === QUOTE ? parsed(input) : undefined;

export const directBytes: Direct = (input, output) => {
  const text = latin1Text(input);
  if (text === undefined) return false;
  output.int(text.length);
  return output.latin1(text);
};

export const directFixed =
  ({ size }: FixedType): Direct =>
  (input, output) => {
    const text = latin1Text(input);
    return text?.length === size && output.latin1(text);
  };

/** The symbol of the last event is tried first. */
export const directEnum = ({ symbols }: EnumType): Direct => {
  const indexes: ReadonlyMap<string, number> = new Map(symbols.map((symbol, index) => [symbol, index]));
  let last = 0;
  return (input, output) => {
    if (input.next() !== QUOTE) return false;
    const symbol = symbols[last];
    if (symbol === undefined || !input.passesName(symbol)) {
      const index = indexes.get(rawText(input) ?? "");
      if (index === undefined) return false;
      last = index;
    }
    output.int(last);
    return true;
  };
};

/** Passes the string at `input.at`, and returns the source between its quotes; undefined: it has escapes, or no end. */
export const rawText = (input: JsonInput): string | undefined => {
  const end = endOfPlain(input);
  if (end < 0) return undefined;
  const text = input.bytes.toString("utf8", input.at + 1, end);
  input.at = end + 1;
  return text;
};
