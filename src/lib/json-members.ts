/**
 * Finds members and elements in the bytes of a valid JSON text, so that the parts keep their source bytes.
 */
import {
  BACKSLASH,
  CLOSE_BRACE,
  CLOSE_BRACKET,
  COMMA,
  endOfString,
  endOfValue,
  OPEN_BRACE,
  OPEN_BRACKET,
  skipSpace,
} from "./json-scan.ts";

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

/** Offset of the value that a JSON pointer selects; -1: no such value. */
export type FollowPointer = (bytes: Buffer) => number;

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
