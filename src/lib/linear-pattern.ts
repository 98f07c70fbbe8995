/**
 * Regular expressions that take linear time for every text. V8 runs them with its own engine for this; it refuses expressions
 * that need more, such as back references and look-arounds.
 */
import { setFlagsFromString } from "node:v8";

setFlagsFromString("--enable-experimental-regexp-engine");

/** Returns true if the whole text matches. */
export type LinearPattern = (text: string) => boolean;

/** undefined: no regular expression, or one that the engine does not run in linear time. */
export const compileLinear = (source: string): LinearPattern | undefined => {
  try {
    // Alone first, so that no bracket of the source can end the group around it.
    new RegExp(source, "l");
    const pattern = new RegExp(`^(?:${source})$`, "l");
    return (text) => pattern.test(text);
  } catch {
    return undefined;
  }
};
