/** Patterns of stations and groups: exact names, and names with `*` for any run of characters. */
import { GatewayError } from "../errors.ts";

/** Says whether a name is meant. Case counts. */
export type NameMatcher = (name: string) => boolean;

/** Says whether a (lower-cased) station name is meant. */
export type StationMatcher = (station: string) => boolean;

/** A station name of at most 128 characters in which `*` may stand anywhere; letters in either case. */
export const isStationPattern = (text: string): boolean => /^[A-Za-z0-9_.*-]{1,128}$/.test(text);

/**
 * Compiles a list of patterns once, so that a check costs a set lookup for the exact ones and a scan for the others.
 * An empty list matches nothing.
 */
export const compilePatterns = (patterns: readonly string[]): NameMatcher => {
  const exact = new Set(patterns.filter((pattern) => !pattern.includes("*")));
  const wild = patterns.filter((pattern) => pattern.includes("*")).map(compileWildcard);
  return (name) => exact.has(name) || wild.some((matches) => matches(name));
};

/** As `compilePatterns`, in lower case. Throws SETTINGS_INVALID for text that can be no station pattern. */
export const compileStationPatterns = (patterns: readonly string[]): StationMatcher => {
  const wrong = patterns.find((pattern) => !isStationPattern(pattern));
  if (wrong !== undefined)
    throw new GatewayError("SETTINGS_INVALID", { message: `"${wrong}" is not a station pattern` });
  return compilePatterns(patterns.map((pattern) => pattern.toLowerCase()));
};

/** No regular expression: several `*` in one would backtrack, where taking the leftmost match of each piece is enough. */
const compileWildcard = (pattern: string): NameMatcher => {
  const pieces = pattern.split("*");
  const first = pieces.shift() ?? "";
  const last = pieces.pop() ?? "";
  return (station) => {
    if (station.length < first.length + last.length) return false;
    if (!station.startsWith(first) || !station.endsWith(last)) return false;
    const end = station.length - last.length;
    let at = first.length;
    for (const piece of pieces) {
      const found = station.indexOf(piece, at);
      if (found < 0 || found + piece.length > end) return false;
      at = found + piece.length;
    }
    return true;
  };
};
