/** The record's key, taken from the event by a JSON pointer (RFC 6901). */
import { GatewayError } from "../errors.ts";
import { followPointer, stringAt, valueAt } from "../lib/json-members.ts";
import { QUOTE } from "../lib/json-scan.ts";

/**
 * The key of an event that is known to be valid JSON: a string as it is (in UTF-8), a number by its source digits,
 * null where the pointer leads nowhere or to null. Throws KEY_REFUSED for anything else.
 */
export type KeyOf = (event: Buffer) => Buffer | null;

/** Reads along the pointer in the event's bytes, because a number's digits don't survive parsing. */
export const createKeyOf = (pointer: string): KeyOf => {
  const follow = followPointer(pointer);
  return (event) => {
    const at = follow(event);
    return at < 0 ? null : keyAt(event, at);
  };
};

const LETTER_N = 0x6e;
const MINUS = 0x2d;
const DIGIT_0 = 0x30;
const DIGIT_9 = 0x39;

const keyAt = (event: Buffer, at: number): Buffer | null => {
  const first = event[at] ?? 0;
  if (first === QUOTE) return Buffer.from(stringAt(event, at));
  if (first === MINUS || (first >= DIGIT_0 && first <= DIGIT_9)) return valueAt(event, at);
  if (first === LETTER_N) return null;
  throw new GatewayError("KEY_REFUSED");
};
