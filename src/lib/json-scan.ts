/**
 * Reads the bytes of a JSON text without parsing it, for callers that must keep the source bytes, such as the elements
 * of a batch or the digits of a number. The functions don't validate. On bytes that aren't JSON they return too, but
 * the results are meaningless.
 */

export const QUOTE = 0x22;
const BACKSLASH = 0x5c;
export const OPEN_BRACKET = 0x5b;
export const CLOSE_BRACKET = 0x5d;
export const OPEN_BRACE = 0x7b;
export const CLOSE_BRACE = 0x7d;
export const COMMA = 0x2c;
const COLON = 0x3a;
const SPACE = 0x20;
const MINUS = 0x2d;
const DIGIT_0 = 0x30;
const DIGIT_9 = 0x39;

/** True if a value that begins with this byte is a number. */
export const isNumberStart = (byte: number): boolean =>
  byte === MINUS || (byte >= DIGIT_0 && byte <= DIGIT_9);

/** Offset just past the string whose opening quote is at `at`. */
export const endOfString = (bytes: Buffer, at: number): number => {
  let i = at + 1;
  while (i < bytes.length) {
    const byte = bytes[i];
    if (byte === QUOTE) return i + 1;
    i += byte === BACKSLASH ? 2 : 1;
  }
  return bytes.length;
};

/** Offset of the first byte from `at` on that isn't white space. All bytes up to a space count as white space. */
export const skipSpace = (bytes: Buffer, at: number): number => {
  let i = at;
  while (i < bytes.length && (bytes[i] ?? 0) <= SPACE) i++;
  return i;
};

/** +1 for an opening bracket or brace, -1 for a closing one, otherwise 0. Bracket and brace differ by the bit 0x20. */
const nesting = (byte: number): number => {
  const folded = byte | 0x20;
  if (folded === OPEN_BRACE) return 1;
  return folded === CLOSE_BRACE ? -1 : 0;
};

/** Offset just past the value that begins at `at`. */
export const endOfValue = (bytes: Buffer, at: number): number => {
  let depth = 0;
  let i = at;
  while (i < bytes.length) {
    const byte = bytes[i] ?? 0;
    if (byte === QUOTE) {
      i = endOfString(bytes, i);
      if (depth === 0) return i;
      continue;
    }
    // A number or a literal ends before white space, a comma or a closing bracket.
    if (depth === 0 && i > at && (byte <= SPACE || byte === COMMA || nesting(byte) < 0)) return i;
    depth += nesting(byte);
    i++;
    if (depth === 0 && nesting(byte) < 0) return i;
  }
  return i;
};

interface JsonBounds {
  /** Maximum nesting of arrays and objects. */
  readonly depth: number;
  /** Maximum number of values: one more than the number of commas and opening brackets. */
  readonly values: number;
  /** Maximum number of members of all objects together. Creating a member takes several times as long as an element. */
  readonly members: number;
}

/**
 * The limit that a JSON text exceeds; undefined: none. To be called before JSON.parse, which takes 0.35 s and 120 MB for
 * 4 MiB of empty objects, and 0.25 s for 4 MiB of opening brackets.
 */
export const excessOf = (
  bytes: Buffer,
  { depth: maxDepth, values, members }: JsonBounds,
): keyof JsonBounds | undefined => {
  if (bytes.length <= maxDepth) return undefined;
  let depth = 0;
  let more = values;
  let moreMembers = members;
  let i = 0;
  while (i < bytes.length) {
    const byte = bytes[i] ?? 0;
    if (byte === QUOTE) {
      i = endOfString(bytes, i);
      continue;
    }
    const step = nesting(byte);
    depth += step;
    if (depth > maxDepth) return "depth";
    if ((step > 0 || byte === COMMA) && --more <= 0) return "values";
    if (byte === COLON && --moreMembers < 0) return "members";
    i++;
  }
  return undefined;
};

/** The string whose opening quote is at `at`, without its escapes. */
export const stringAt = (bytes: Buffer, at: number): string => {
  const inner = bytes.toString("utf8", at + 1, endOfString(bytes, at) - 1);
  return inner.includes("\\") ? (JSON.parse(`"${inner}"`) as string) : inner;
};

/** The bytes of the value that begins at `at`. */
export const valueAt = (bytes: Buffer, at: number): Buffer => bytes.subarray(at, endOfValue(bytes, at));

/** The offsets of a value's first byte and of the byte after its last. */
export interface Span {
  readonly at: number;
  readonly end: number;
}

export interface Members {
  /** One span for each requested name; undefined: no such member. */
  readonly spans: readonly (Span | undefined)[];
  /** Offset just past the object. */
  readonly end: number;
}

/**
 * Finds the named members of an object in one pass. If a name occurs twice, the last member counts, as in JSON.parse.
 */
export const membersOf = (bytes: Buffer, object: number, names: readonly string[]): Members => {
  const spans = names.map((): Span | undefined => undefined);
  let i = skipSpace(bytes, object + 1);
  while (i < bytes.length && bytes[i] !== CLOSE_BRACE) {
    const nameEnd = endOfString(bytes, i);
    const at = skipSpace(bytes, skipSpace(bytes, nameEnd) + 1);
    const end = endOfValue(bytes, at);
    for (let n = 0; n < names.length; n++) {
      if (isNamed(bytes, { at: i, end: nameEnd }, names[n] ?? "")) spans[n] = { at, end };
    }
    i = afterComma(bytes, end);
  }
  return { spans, end: i + 1 };
};

/** Compares byte by byte; decodes the name only if it has escapes or non-ASCII characters. */
const isNamed = (bytes: Buffer, { at, end }: Span, name: string): boolean => {
  for (let i = 0; i < name.length; i++) {
    const byte = bytes[at + 1 + i] ?? 0;
    if (byte === BACKSLASH || byte > LAST_ASCII) return stringAt(bytes, at) === name;
    if (byte !== name.charCodeAt(i)) return false;
  }
  return end === at + name.length + 2;
};

const LAST_ASCII = 0x7f;

/** Offset of the member's value; -1: no such member. */
export const memberOf = (bytes: Buffer, object: number, name: string): number =>
  membersOf(bytes, object, [name]).spans[0]?.at ?? -1;

/** Offsets of the array's elements; at most the first `atMost`. */
export const elementsOf = (bytes: Buffer, array: number, atMost = Infinity): number[] => {
  const found: number[] = [];
  let i = skipSpace(bytes, array + 1);
  while (i < bytes.length && bytes[i] !== CLOSE_BRACKET && found.length < atMost) {
    found.push(i);
    i = afterComma(bytes, endOfValue(bytes, i));
  }
  return found;
};

/** Offset of the next member or element, or of the closing bracket. */
const afterComma = (bytes: Buffer, at: number): number => {
  const i = skipSpace(bytes, at);
  return bytes[i] === COMMA ? skipSpace(bytes, i + 1) : i;
};

/** The JSON pointer (RFC 6901) of these steps. */
export const pointerOf = (steps: readonly (string | number)[]): string =>
  steps.map((step) => `/${String(step).replaceAll("~", "~0").replaceAll("/", "~1")}`).join("");

/** Offset of the value that a JSON pointer selects; -1: no such value. */
type FollowPointer = (bytes: Buffer) => number;

/** Compiles a JSON pointer (RFC 6901) once, for many texts. */
export const followPointer = (pointer: string): FollowPointer => {
  const tokens = pointer
    .split("/")
    .slice(1)
    .map((token) => token.replaceAll("~1", "/").replaceAll("~0", "~"));
  return (bytes) => {
    let at = skipSpace(bytes, 0);
    for (const token of tokens) {
      at = childOf(bytes, at, token);
      if (at < 0) return -1;
    }
    return at;
  };
};

const childOf = (bytes: Buffer, at: number, token: string): number => {
  if (bytes[at] === OPEN_BRACE) return memberOf(bytes, at, token);
  if (bytes[at] !== OPEN_BRACKET || !/^(0|[1-9]\d*)$/.test(token)) return -1;
  const index = Number(token);
  return elementsOf(bytes, at, index + 1)[index] ?? -1;
};
