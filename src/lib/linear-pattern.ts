/**
 * Regular expressions that take linear time for every text. V8 has a separate engine for them, which refuses expressions
 * that can take longer, such as back references, look-aheads and look-behinds.
 */
import { setFlagsFromString } from "node:v8";

setFlagsFromString("--enable-experimental-regexp-engine");

/** Returns true if the whole text matches. */
export type LinearPattern = (text: string) => boolean;

/** undefined: `source` is not a regular expression, or the engine can't run it in linear time. */
export const compileLinear = (source: string): LinearPattern | undefined => {
  try {
    // Compile `source` alone first: an unbalanced bracket in it, such as `)`, must not close the group of the next line.
    new RegExp(source, "l");
    const pattern = new RegExp(`^(?:${source})$`, "l");
    return (text) => pattern.test(text);
  } catch {
    return undefined;
  }
};
