/** Arrays and maps of a JSON text. */
import { CLOSE_BRACE, CLOSE_BRACKET, OPEN_BRACE, OPEN_BRACKET } from "../../../lib/json-scan.ts";
import type { AvroOutput } from "../output.ts";
import type { Direct } from "./input.ts";
import { directString } from "./text.ts";

/** The count of a block is written in front of it, when the block is complete. */
export const directArray =
  (write: Direct): Direct =>
  (input, output) => {
    if (!input.open(OPEN_BRACKET)) return false;
    const start = output.at;
    output.byte(0);
    if (input.isEmpty(CLOSE_BRACKET)) return true;
    let count = 0;
    let more: 1 | 0 | -1;
    do {
      if (!write(input, output)) return false;
      count++;
      more = input.more(CLOSE_BRACKET);
    } while (more > 0);
    if (more < 0) return false;
    output.endBlock(start, count);
    return true;
  };

/** Each key is compared with all keys before it. */
const MOST_KEYS = 16;
const ZERO = 0x30;

export const directMap =
  (write: Direct): Direct =>
  (input, output) => {
    if (!input.open(OPEN_BRACE)) return false;
    const start = output.at;
    output.byte(0);
    if (input.isEmpty(CLOSE_BRACE)) return true;
    const keys: number[] = [];
    let more: 1 | 0 | -1;
    do {
      const key = output.at;
      if (!directString(input, output) || !isNewKey(output, keys, key)) return false;
      keys.push(key);
      if (!input.colon() || !write(input, output)) return false;
      more = input.more(CLOSE_BRACE);
    } while (more > 0);
    if (more < 0 || (keys.length > 1 && keys.some((key) => isIndex(output, key)))) return false;
    output.endBlock(start, keys.length);
    return true;
  };

/** JSON.parse changes the order of keys that are an index, so a map with such a key is not plain. */
const isIndex = ({ bytes }: AvroOutput, key: number): boolean => {
  // A key of 64 bytes or more has two bytes of length, and is no index.
  const first = bytes[key + 1] ?? 0;
  return first >= ZERO && first <= ZERO + 9;
};

/** The last one of equal keys counts, so a map with equal keys is not plain. */
const isNewKey = ({ bytes, at }: AvroOutput, keys: readonly number[], key: number): boolean => {
  if (keys.length >= MOST_KEYS) return false;
  for (const other of keys) {
    let i = 0;
    while (key + i < at && bytes[key + i] === bytes[other + i]) i++;
    if (key + i === at) return false;
  }
  return true;
};
