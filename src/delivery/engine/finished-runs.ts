/**
 * Finished records beyond a position, as runs of offsets, and their text, which is stored with the position: a record that
 * waits for its retry holds the position, and those behind it are not sent again because of that.
 */
import { MAX_METADATA } from "../../broker/broker.ts";

/** The offsets from `first` up to, but not including, `end`. */
export interface Run {
  readonly first: bigint;
  readonly end: bigint;
}

/** Of the text's format; a text with another beginning says nothing. */
const VERSION = "f1:";
const RADIX = 36;
/** A number of up to eight digits; a partition doesn't hold that many records in memory. */
const LIST = /^(?:[0-9a-z]{1,8},[0-9a-z]{1,8})(?:,[0-9a-z]{1,8},[0-9a-z]{1,8})*$/;

/**
 * The runs in growing order, none below the position: how many offsets lie before each, and how many are in it. As many
 * as a broker stores. undefined: there are none.
 */
export const encodeRuns = (position: bigint, runs: readonly Run[]): string | undefined => {
  let text = VERSION;
  let at = position;
  for (const { first, end } of runs) {
    const separator = text === VERSION ? "" : ",";
    const next = `${separator}${(first - at).toString(RADIX)},${(end - first).toString(RADIX)}`;
    if (text.length + next.length > MAX_METADATA) break;
    text += next;
    at = end;
  }
  return text === VERSION ? undefined : text;
};

/** None where the text is none of ours. */
export const decodeRuns = (position: bigint, text: string | undefined): readonly Run[] => {
  if (text?.startsWith(VERSION) !== true || !LIST.test(text.slice(VERSION.length))) return [];
  const numbers = text.slice(VERSION.length).split(",");
  const runs: Run[] = [];
  let at = position;
  for (let index = 0; index < numbers.length; index += 2) {
    const first = at + BigInt(parseInt(numbers[index] ?? "", RADIX));
    at = first + BigInt(parseInt(numbers[index + 1] ?? "", RADIX));
    runs.push({ first, end: at });
  }
  return runs;
};

/** All offsets of both, in growing order; runs that touch become one. */
export const mergeRuns = (one: readonly Run[], other: readonly Run[]): readonly Run[] => {
  const merged: { first: bigint; end: bigint }[] = [];
  const sorted = [...one, ...other].sort((a, b) => (a.first < b.first ? -1 : 1));
  for (const { first, end } of sorted) {
    const last = merged.at(-1);
    if (last === undefined || first > last.end) merged.push({ first, end });
    else if (end > last.end) last.end = end;
  }
  return merged;
};
