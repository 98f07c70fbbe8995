/** Checks the text of a transform. */
import jsonata from "jsonata";

const MAX_BYTES = 16 * 1024;

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null;

/** Whether the tree has the variable `$eval`, also as a value that is called later. */
const usesEval = (tree: unknown): boolean => {
  const seen = new Set<unknown>();
  const left: unknown[] = [tree];
  while (left.length > 0) {
    const node = left.pop();
    if (!isObject(node) || seen.has(node)) continue;
    seen.add(node);
    if (node["type"] === "variable" && node["value"] === "eval") return true;
    left.push(...Object.values(node));
  }
  return false;
};

const faultOf = (error: unknown): string => {
  const { message, position } = error as { readonly message?: string; readonly position?: number };
  const at = position === undefined ? "" : ` (at character ${position})`;
  return `${message ?? "the expression can't be read"}${at}`;
};

/** Why the text is no transform. undefined: it is one. */
export const transformFault = (text: string): string | undefined => {
  if (Buffer.byteLength(text) > MAX_BYTES) return `it is longer than ${MAX_BYTES / 1024} KiB`;
  try {
    return usesEval(jsonata(text).ast()) ? "$eval is not allowed" : undefined;
  } catch (error) {
    return faultOf(error);
  }
};
