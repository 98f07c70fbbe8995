/** 64-bit integers in JSON: as numbers they don't survive `JSON.parse`. */

/** Strings, so that nothing inside them is taken for a number, and whole numbers as JSON writes them. */
const TOKENS = /"[^"\\]*(?:\\.[^"\\]*)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g;
const MANY_DIGITS = /\d{16}/;
const LONG_INTEGER = /^-?\d{16,}$/;

/**
 * The same JSON with each integer that a double can't hold written as a string, which proto3 JSON takes for the same
 * number wherever it takes a number.
 */
export const exactIntegers = (text: string): string =>
  MANY_DIGITS.test(text) ? text.replace(TOKENS, (token) => (isInexact(token) ? `"${token}"` : token)) : text;

const isInexact = (token: string): boolean =>
  LONG_INTEGER.test(token) && BigInt(token) !== BigInt(Number(token));
