/** Reads claims by the names in the settings. */
import { isJsonObject, type JsonObject } from "./jws.ts";

/** The value of a claim; undefined: the token does not have it. */
export interface ClaimReader {
  (claims: JsonObject): unknown;
  /** Name of the claim, or of the claim that contains it. */
  readonly claim: string;
}

/** `name`: the whole name of a claim, or a JSON pointer (RFC 6901) if it begins with `/`. */
export const claimReader = (name: string): ClaimReader => {
  const steps = name.startsWith("/")
    ? name
        .slice(1)
        .split("/")
        .map((step) => step.replaceAll("~1", "/").replaceAll("~0", "~"))
    : [name];
  const read = (claims: JsonObject): unknown => steps.reduce<unknown>(memberOf, claims);
  return Object.assign(read, { claim: steps[0] ?? "" });
};

/** Only own members, so that no claim is read from a prototype. */
const memberOf = (value: unknown, step: string): unknown => {
  if (Array.isArray(value))
    return /^(0|[1-9]\d{0,8})$/.test(step) ? (value as unknown[])[Number(step)] : undefined;
  return isJsonObject(value) && Object.hasOwn(value, step) ? value[step] : undefined;
};

/** Further values of a claim do not count. */
const MAX_VALUES = 1000;

/** The texts of a claim: a list, or one text that is split at spaces. Other values have none. */
export const textsOf = (value: unknown): readonly string[] => {
  if (typeof value === "string") return value.split(" ").filter(Boolean).slice(0, MAX_VALUES);
  if (!Array.isArray(value)) return [];
  return value.slice(0, MAX_VALUES).filter((one): one is string => typeof one === "string");
};

/**
 * True if the issuer says that it left the claim out because the token would become too large (OpenID Connect Core, 5.6.2, and
 * `hasgroups`).
 */
export const isLeftOut = (claims: JsonObject, { claim }: ClaimReader): boolean => {
  if (Object.hasOwn(claims, claim)) return false;
  const { _claim_names: elsewhere, hasgroups: hasGroups } = claims;
  if (isJsonObject(elsewhere) && Object.hasOwn(elsewhere, claim)) return true;
  return claim === "groups" && (hasGroups === true || hasGroups === "true");
};
