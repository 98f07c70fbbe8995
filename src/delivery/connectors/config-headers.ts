/** `callback.request.headers`: a JSON object in a string, or `K:V` pairs with a separator between them. */
import type { Parsed } from "./config-values.ts";

export type HeaderPair = readonly [name: string, value: string];

/** RFC 9110: a field name is a token; a value has no control characters but the tab. */
const NAME = /^[!#$%&'*+.^_`|~\w-]+$/;
const VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;
/** They frame the message or belong to the connection, and are the client's own. */
const RESERVED = new Set([
  "connection",
  "content-length",
  "expect",
  "keep-alive",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
]);

export const isJsonForm = (raw: string): boolean => raw.trimStart().startsWith("{");

const fromJson = (raw: string): Parsed<readonly HeaderPair[]> => {
  let parsed: unknown;
  try {
    parsed = JSON.parse(raw);
  } catch {
    return { reason: "Not a JSON object" };
  }
  const entries = Object.entries(parsed as Record<string, unknown>);
  const nested = entries.find(([, value]) => typeof value === "object");
  return nested === undefined
    ? { value: entries.map(([name, value]) => [name.trim(), String(value)]) }
    : { reason: `The value of ${nested[0]} is not text` };
};

const fromPairs = (raw: string, separator: string): Parsed<readonly HeaderPair[]> => {
  const pairs = raw.split(separator).filter((pair) => pair.trim() !== "");
  const broken = pairs.findIndex((pair) => pair.indexOf(":") < 1);
  if (broken !== -1) return { reason: `Pair ${broken + 1} is not of the form name:value` };
  return {
    value: pairs.map((pair) => {
      const colon = pair.indexOf(":");
      return [pair.slice(0, colon).trim(), pair.slice(colon + 1).trim()];
    }),
  };
};

const fault = ([name, value]: HeaderPair): string | undefined => {
  if (!NAME.test(name)) return "A header's name has characters that HTTP does not allow";
  if (RESERVED.has(name.toLowerCase())) return `${name} can't be set`;
  return VALUE.test(value) ? undefined : `The value of ${name} has characters that HTTP does not allow`;
};

/** Never repeats a header's value in a reason: it may be a credential. */
export const parseHeaders = (raw: string, separator: string): Parsed<readonly HeaderPair[]> => {
  const pairs = isJsonForm(raw) ? fromJson(raw) : fromPairs(raw, separator);
  if ("reason" in pairs) return pairs;
  const reason = pairs.value.map(fault).find((text) => text !== undefined);
  return reason === undefined ? pairs : { reason };
};

/** The inverse of `parseHeaders`, in the form that `like` has. */
export const printHeaders = (pairs: readonly HeaderPair[], separator: string, like: string): string =>
  isJsonForm(like)
    ? JSON.stringify(Object.fromEntries(pairs))
    : pairs.map(([name, value]) => `${name}:${value}`).join(separator);
