/** The printed form of an event. */
import type { Shell } from "../../shell.ts";

export interface Message {
  readonly message: string;
  readonly headers: Readonly<Record<string, string | null>>;
}

export interface PrintOptions {
  readonly json?: boolean;
  readonly headers?: boolean;
}

/** Control characters, which a terminal would execute. Events are untrusted. */
const CONTROLS = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g;

const harmless = (text: string): string =>
  text.replace(CONTROLS, (control) => `\\u${control.charCodeAt(0).toString(16).padStart(4, "0")}`);

export const printed = (
  { outIsTTY }: Pick<Shell, "outIsTTY">,
  { message, headers }: Message,
  options: PrintOptions,
): string => {
  if (options.json === true) return JSON.stringify({ message, headers });
  const shown =
    options.headers === true
      ? Object.entries(headers).map(([name, value]) => `${name}: ${value ?? ""}\n`)
      : [];
  const text = [...shown, indented(message)].join("");
  return outIsTTY ? harmless(text) : text;
};

const INDENT = "  ";
const MAX_DEPTH = 200;

const isStructured = (text: string): boolean => {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null;
  } catch {
    return false;
  }
};

/** Tokens: strings, single brackets and separators, and other text up to the next token. */
const TOKENS = /"(?:[^"\\]|\\.)*"|[{}[\],:]|[^\s{}[\],:"]+/g;

const isOpening = (token: string): boolean => token === "{" || token === "[";
const isClosing = (token: string): boolean => token === "}" || token === "]";

/** The white space between two tokens, of which the second has this depth. */
const gap = (before: string, token: string, depth: number): string => {
  if (isOpening(before) && isClosing(token)) return "";
  if (isOpening(before) || isClosing(token) || before === ",") return `\n${INDENT.repeat(depth)}`;
  return before === ":" ? " " : "";
};

/**
 * Indents a JSON object or array. Works on the source text, so that numbers are not rounded and escapes stay as they
 * are. Returns the text unchanged if it is anything else, or is nested deeper than 200 levels.
 */
export const indented = (text: string): string => {
  if (!isStructured(text)) return text;
  let depth = 0;
  let before = "";
  let result = "";
  for (const [token] of text.matchAll(TOKENS)) {
    if (isClosing(token)) depth -= 1;
    // The number of spaces grows with the square of the depth.
    if (depth > MAX_DEPTH) return text;
    result += gap(before, token, depth) + token;
    if (isOpening(token)) depth += 1;
    before = token;
  }
  return result;
};
