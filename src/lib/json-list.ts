/** Finds, counts and checks the objects of an unchecked JSON array without creating them. */
import { createJsonChecker } from "./json-check.ts";
import { CLOSE_BRACKET, COMMA, OPEN_BRACE, OPEN_BRACKET } from "./json-scan.ts";

export interface ListLimits {
  /** Maximum number of objects. */
  readonly most: number;
  /** Maximum nesting of one object. */
  readonly maxDepth: number;
}

export interface ObjectList {
  /** The start and end offsets of the objects, alternating. */
  readonly bounds: readonly number[];
  /** Offset just past the array. */
  readonly end: number;
}

/** The first fault, and the index of the faulty element. */
export interface ListFault {
  readonly fault: "no array" | "no object" | "broken" | "too deep" | "too many";
  readonly index: number;
}

/**
 * Returns the objects of the array at `at`. Stops at the first element that is wrong or above a limit. Doesn't check that
 * strings are UTF-8.
 */
export const objectsIn = (
  bytes: Buffer,
  at: number,
  { most, maxDepth }: ListLimits,
): ObjectList | ListFault => {
  const bounds: number[] = [];
  const wrong = (fault: ListFault["fault"]): ListFault => ({ fault, index: bounds.length / 2 });
  if (bytes[at] !== OPEN_BRACKET) return wrong("no array");
  const checker = createJsonChecker();
  let i = afterSpace(bytes, at + 1);
  if (bytes[i] === CLOSE_BRACKET) return { bounds, end: i + 1 };
  for (;;) {
    if (bytes[i] !== OPEN_BRACE) return wrong(i < bytes.length ? "no object" : "broken");
    if (bounds.length >= 2 * most) return wrong("too many");
    checker.reset();
    const end = checker.read(bytes, i);
    if (checker.deepest > maxDepth) return wrong("too deep");
    if (checker.state !== "complete") return wrong("broken");
    bounds.push(i, end);
    i = afterSpace(bytes, end);
    if (bytes[i] === CLOSE_BRACKET) return { bounds, end: i + 1 };
    if (bytes[i] !== COMMA) return wrong("broken");
    i = afterSpace(bytes, i + 1);
  }
};

/** Offset of the first byte from `at` on that isn't JSON white space. */
export const afterSpace = (bytes: Buffer, at: number): number => {
  let i = at;
  while (bytes[i] === 0x20 || bytes[i] === 0x0a || bytes[i] === 0x0d || bytes[i] === 0x09) i++;
  return i;
};
