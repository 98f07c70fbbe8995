/** Which web pages may use a credential: exact origins, as browsers send them (RFC 6454, section 7). */
import { GatewayError } from "../errors.ts";
import type { Principal } from "./principal.ts";

/** An origin list that nobody satisfies, whatever header they make up: an empty `Origin` is refused like none. */
const NOWHERE: readonly string[] = [""];

/**
 * The one spelling of an origin: scheme, host and port, in lower case, without a scheme's own port. `*` and `null`
 * (what a browser sends for a sandboxed page) stay themselves. undefined: not an origin.
 */
export const normaliseOrigin = (text: string): string | undefined => {
  if (text === "*" || text === "null") return text;
  if (!URL.canParse(text)) return undefined;
  const { protocol, host, pathname, search, hash, username, password } = new URL(text);
  const beyond = pathname.slice(1) + search + hash + username + password;
  if (host === "" || host.includes("*") || beyond !== "") return undefined;
  // By hand: `URL.origin` is "null" for the schemes of browser extensions and app shells.
  return `${protocol}//${host}`.toLowerCase();
};

/** A configured origin list in its one spelling. Throws SETTINGS_INVALID for text that is no origin. */
export const originList = (origins: readonly string[]): readonly string[] =>
  origins.map((text) => {
    const origin = normaliseOrigin(text);
    if (origin !== undefined) return origin;
    throw new GatewayError("SETTINGS_INVALID", { message: `"${text}" is not an origin` });
  });

/** What both lists allow, where an empty list allows any origin and none; it never allows more than either. */
export const narrowOrigins = (allowed: readonly string[], wanted: readonly string[]): readonly string[] => {
  if (allowed.length === 0) return wanted;
  if (wanted.length === 0 || wanted.includes("*")) return allowed;
  if (allowed.includes("*")) return wanted;
  const both = wanted.filter((origin) => allowed.includes(origin));
  return both.length === 0 ? NOWHERE : both;
};

/**
 * Holds a request to its principal's origins. Throws ORIGIN_FORBIDDEN when the principal has a list and the request's
 * `Origin` is missing or not on it.
 */
export const requireOrigin = (principal: Principal, origin: string | undefined): void => {
  if (!originAllowed(principal.origins, origin)) throw new GatewayError("ORIGIN_FORBIDDEN");
};

const originAllowed = (allowed: readonly string[], origin: string | undefined): boolean => {
  if (allowed.length === 0) return true;
  if (origin === undefined || origin === "") return false;
  if (allowed.includes("*") || allowed.includes(origin)) return true;
  const normalised = normaliseOrigin(origin);
  return normalised !== undefined && allowed.includes(normalised);
};
