/** The texts of refused events: the format, the JSON pointer and the reason, in one line. */
import { pointerOf } from "../lib/json-scan.ts";
import { DataRefused } from "./format.ts";

/** Maximum length of the pointer in an error text. */
const LONGEST_POINTER = 1_000;

/** JSON.stringify leaves some characters that break lines as they are. */
const escaped = (character: string): string => {
  const text = JSON.stringify(character).slice(1, -1);
  return text === character ? `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}` : text;
};

/** Escapes control characters, which would break the line of a log or of an answer. A text above `longest` is cut. */
export const oneLine = (text: string, longest: number): string => {
  const shown = text.length > longest ? `${text.slice(0, longest)}…` : text;
  return shown.replaceAll(/[\u0000-\u001f\u007f\u2028\u2029]/g, escaped);
};

/** `steps`: from the event to the refused value. */
export const refusalAt = (
  format: "avro" | "protobuf",
  steps: readonly (string | number)[],
  reason: string,
): DataRefused => new DataRefused(`${format}: '${oneLine(pointerOf(steps), LONGEST_POINTER)}': ${reason}`);
