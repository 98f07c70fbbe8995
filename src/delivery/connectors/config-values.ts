/**
 * Parsers of configuration values. If a value is invalid, a parser returns a reason in the wording of Kafka Connect. No
 * reason contains the value of a header, because it may be a credential.
 */
import { SECRET_RULE, sharedKey } from "../../lib/standard-webhooks-secret.ts";

type Parsed<T> = { readonly value: T } | { readonly reason: string };
export type Parse<T> = (raw: string) => Parsed<T>;

export const text: Parse<string> = (raw) => ({ value: raw });

export const list: Parse<readonly string[]> = (raw) => ({
  value: raw
    .split(",")
    .map((item) => item.trim())
    .filter((item) => item !== ""),
});

/** Ignores case. The result is spelled as in `choices`. */
export const oneOf =
  <const T extends string>(choices: readonly T[]): Parse<T> =>
  (raw) => {
    const value = choices.find((choice) => choice.toLowerCase() === raw.trim().toLowerCase());
    return value === undefined
      ? { reason: `Unknown value. Valid values are [${choices.join(", ")}]` }
      : { value };
  };

/** As `oneOf`, but case counts. */
export const exactly =
  <const T extends string>(choices: readonly T[], reasonOf: (choices: readonly T[]) => string): Parse<T> =>
  (raw) => {
    const value = choices.find((choice) => choice === raw);
    return value === undefined ? { reason: reasonOf(choices) } : { value };
  };

export const integer =
  (min: number, max = 2 ** 31 - 1): Parse<number> =>
  (raw) => {
    if (!/^[+-]?\d+$/.test(raw.trim())) return { reason: "Not a number of type INT" };
    const value = Number(raw);
    if (value < min) return { reason: `Value must be at least ${min}` };
    return value > max ? { reason: `Value must be no more than ${max}` } : { value };
  };

/** `maxText`: the upper bound as the fault names it. */
export const long =
  (min: number, max: number, maxText: string): Parse<number> =>
  (raw) => {
    if (!/^[+-]?\d+$/.test(raw.trim())) return { reason: "Not a number of type LONG" };
    const value = Number(raw);
    if (value < min) return { reason: `Value must be at least ${min}` };
    return value > max ? { reason: `Value must be no more than ${maxText}` } : { value };
  };

export const nonBlank: Parse<string> = (raw) =>
  raw.trim() === "" ? { reason: "String must be non-blank" } : { value: raw };

export const booleanText: Parse<boolean> = (raw) => {
  const text = raw.trim().toLowerCase();
  if (text === "true" || text === "false") return { value: text === "true" };
  return { reason: "Expected value to be either true or false" };
};

export const decimal =
  (allowed: (value: number) => boolean, range: string): Parse<number> =>
  (raw) => {
    const value = raw.trim() === "" ? Number.NaN : Number(raw);
    if (!Number.isFinite(value)) return { reason: "Not a number of type DOUBLE" };
    return allowed(value) ? { value } : { reason: `Value must be ${range}` };
  };

/**
 * `5, 30,60`: whole seconds, also with a comma at the end. An empty item is a mistake: without it the schedule would have fewer
 * attempts than its writer counted. The result is in milliseconds.
 */
export const secondsList: Parse<readonly number[]> = (raw) => {
  const items = raw
    .replace(/,\s*$/, "")
    .split(",")
    .map((item) => item.trim());
  const wrong = items.find((item) => !/^\d{1,9}$/.test(item));
  if (wrong === undefined) return { value: items.map((item) => Number(item) * 1000) };
  return { reason: wrong === "" ? "An item is empty" : `${wrong} is not a whole number of seconds` };
};

/** The pattern must match the whole name, as with Java's `Pattern.matches`. */
export const wholePattern: Parse<RegExp> = (raw) => {
  try {
    return { value: new RegExp(`^(?:${raw})$`, "u") };
  } catch {
    return { reason: "Not a regular expression" };
  }
};

const isPercentEncoded = (value: string): boolean => {
  try {
    decodeURIComponent(value);
    return true;
  } catch {
    return false;
  }
};

/** An absolute http or https URL, parsed as the WHATWG URL standard says. */
export const httpUrl: Parse<URL> = (raw) => {
  if (!URL.canParse(raw)) return { reason: "Not an absolute URL" };
  const value = new URL(raw);
  if (!isPercentEncoded(value.username + value.password)) {
    return { reason: "User or password is not percent-encoded" };
  }
  return value.protocol === "http:" || value.protocol === "https:"
    ? { value }
    : { reason: "Valid schemes are [http, https]" };
};

/** `malformed`: the reason if the text is no URL. */
export const httpUrlOr =
  (malformed: string): Parse<URL> =>
  (raw) =>
    URL.canParse(raw) ? httpUrl(raw) : { reason: malformed };

const TOPIC_NAME = /^[\w.-]{1,249}$/;

export const topicName: Parse<string> = (raw) =>
  TOPIC_NAME.test(raw) && raw !== "." && raw !== ".." ? { value: raw } : { reason: "Not a topic name" };

/** A Standard Webhooks secret. */
export const signingSecret: Parse<Buffer> = (raw) => {
  const value = sharedKey(raw.trim());
  return value === undefined ? { reason: `Not ${SECRET_RULE}` } : { value };
};

export type HeaderPair = readonly [name: string, value: string];

/** RFC 9110: a field name is a token. A value has no control characters except the tab. */
const NAME = /^[!#$%&'*+.^_`|~\w-]+$/;
const VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;
/** Headers that the HTTP client sets, because they frame the message or belong to the connection. */
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

/** Why HTTP, or the HTTP client, can't send the header. */
export const headerFault = ([name, value]: HeaderPair): string | undefined => {
  if (!NAME.test(name)) return "A header name has characters that HTTP does not allow";
  if (RESERVED.has(name.toLowerCase())) return `${name} can't be set`;
  return VALUE.test(value) ? undefined : `The value of ${name} has characters that HTTP does not allow`;
};

/** Parses `callback.request.headers`: a JSON object in a string, or `K:V` pairs with a separator. */
export const parseHeaders = (raw: string, separator: string): Parsed<readonly HeaderPair[]> => {
  const pairs = isJsonForm(raw) ? fromJson(raw) : fromPairs(raw, separator);
  if ("reason" in pairs) return pairs;
  const reason = pairs.value.map(headerFault).find((text) => text !== undefined);
  return reason === undefined ? pairs : { reason };
};

/** The inverse of `parseHeaders`: JSON if `like` is JSON, else pairs. */
export const printHeaders = (pairs: readonly HeaderPair[], separator: string, like: string): string =>
  isJsonForm(like)
    ? JSON.stringify(Object.fromEntries(pairs))
    : pairs.map(([name, value]) => `${name}:${value}`).join(separator);

export type FormFields = readonly (readonly [name: string, value: string])[];

/** `name=value&name=value`, as in a form. */
export const formFields: Parse<FormFields> = (raw) => {
  const isBroken = raw.split("&").some((pair) => pair !== "" && pair.indexOf("=") < 1);
  return isBroken
    ? { reason: "Not of the form name=value&name=value" }
    : { value: [...new URLSearchParams(raw)] };
};
