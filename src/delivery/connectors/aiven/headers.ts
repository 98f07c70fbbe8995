/** The form of `http.headers.additional`: `name:value` pairs with commas. */
import { type HeaderPair, headerFault } from "../config-values.ts";

type ParsedHeaders = { readonly value: readonly HeaderPair[] } | { readonly reason: string };

/** A colon in a value is a fault, as in the original. */
export const additionalHeaders = (raw: string): ParsedHeaders => {
  const fields = raw
    .split(",")
    .map((field) => field.trim())
    .filter((field) => field !== "");
  const split = fields.map((field) => field.split(":").map((part) => part.trim()));
  if (split.some((parts) => parts.length !== 2 || parts[0] === ""))
    return { reason: "Header field should use format header:value" };
  const pairs = split.map(([name = "", value = ""]): HeaderPair => [name, value]);
  const names = pairs.map(([name]) => name.toLowerCase());
  if (new Set(names).size < names.length)
    return { reason: "Duplicate keys are not allowed (case-insensitive)" };
  const reason = pairs.map(headerFault).find((text) => text !== undefined);
  return reason === undefined ? { value: pairs } : { reason };
};

export const printAdditionalHeaders = (pairs: readonly HeaderPair[]): string =>
  pairs.map(([name, value]) => `${name}:${value}`).join(",");
