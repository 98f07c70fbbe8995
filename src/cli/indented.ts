/** JSON over several lines, made of its own source text: no number is rounded and no escape rewritten. */

const INDENT = "  ";
const DEEPEST = 200;

const isStructured = (text: string): boolean => {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null;
  } catch {
    return false;
  }
};

/** Strings whole, brackets and separators one by one, everything else up to the next of them. */
const TOKENS = /"(?:[^"\\]|\\.)*"|[{}[\],:]|[^\s{}[\],:"]+/g;

const isOpening = (token: string): boolean => token === "{" || token === "[";
const isClosing = (token: string): boolean => token === "}" || token === "]";

/** What stands between two tokens, the second of them at this depth. */
const gap = (before: string, token: string, depth: number): string => {
  if (isOpening(before) && isClosing(token)) return "";
  if (isOpening(before) || isClosing(token) || before === ",") return `\n${INDENT.repeat(depth)}`;
  return before === ":" ? " " : "";
};

/** The text as it is, where it is no object or array, or nested too deep to be read. */
export const indented = (text: string): string => {
  if (!isStructured(text)) return text;
  let depth = 0;
  let before = "";
  let result = "";
  for (const [token] of text.matchAll(TOKENS)) {
    if (isClosing(token)) depth -= 1;
    // Deeper ones would be mostly spaces, of a number that grows with the square of the depth.
    if (depth > DEEPEST) return text;
    result += gap(before, token, depth) + token;
    if (isOpening(token)) depth += 1;
    before = token;
  }
  return result;
};
