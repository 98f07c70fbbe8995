/** Readers of one configuration value each. What they refuse, they refuse with a reason in Kafka Connect's manner. */
import { SECRET_RULE, sharedKey } from "../../lib/standard-webhooks-secret.ts";

export type Parsed<T> = { readonly value: T } | { readonly reason: string };
export type Parse<T> = (raw: string) => Parsed<T>;

export const text: Parse<string> = (raw) => ({ value: raw });

export const list: Parse<readonly string[]> = (raw) => ({
  value: raw
    .split(",")
    .map((item) => item.trim())
    .filter((item) => item !== ""),
});

/** Any case is taken; the value is the choice as it is written here. */
export const oneOf =
  <const T extends string>(choices: readonly T[]): Parse<T> =>
  (raw) => {
    const value = choices.find((choice) => choice.toLowerCase() === raw.trim().toLowerCase());
    return value === undefined
      ? { reason: `Unknown value. Valid values are [${choices.join(", ")}]` }
      : { value };
  };

export const integer =
  (min: number, max = 2 ** 31 - 1): Parse<number> =>
  (raw) => {
    if (!/^[+-]?\d+$/.test(raw.trim())) return { reason: "Not a number of type INT" };
    const value = Number(raw);
    if (value < min) return { reason: `Value must be at least ${min}` };
    return value > max ? { reason: `Value must be no more than ${max}` } : { value };
  };

export const decimal =
  (allowed: (value: number) => boolean, range: string): Parse<number> =>
  (raw) => {
    const value = raw.trim() === "" ? Number.NaN : Number(raw);
    if (!Number.isFinite(value)) return { reason: "Not a number of type DOUBLE" };
    return allowed(value) ? { value } : { reason: `Value must be ${range}` };
  };

/** `5, 30,60`: whole seconds, read as milliseconds. */
export const secondsList: Parse<readonly number[]> = (raw) => {
  const items = list(raw);
  if ("reason" in items) return items;
  const wrong = items.value.find((item) => !/^\d{1,9}$/.test(item));
  return wrong === undefined
    ? { value: items.value.map((item) => Number(item) * 1000) }
    : { reason: `${wrong} is not a whole number of seconds` };
};

/** Java's `Pattern.matches` asks for the whole name. */
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

/** Absolute, http or https, as the WHATWG URL standard reads it. */
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

const TOPIC_NAME = /^[\w.-]{1,249}$/;

export const topicName: Parse<string> = (raw) =>
  TOPIC_NAME.test(raw) && raw !== "." && raw !== ".." ? { value: raw } : { reason: "Not a topic name" };

/** A Standard Webhooks secret. */
export const signingSecret: Parse<Buffer> = (raw) => {
  const value = sharedKey(raw.trim());
  return value === undefined ? { reason: `Not ${SECRET_RULE}` } : { value };
};
