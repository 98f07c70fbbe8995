/** Rights: patterns of stations and groups, the origins of web pages, and the names of consumer groups. */
import { GatewayError } from "../errors.ts";
import type { Principal } from "./principal.ts";

/** True if a pattern matches the name. Case matters. */
export type NameMatcher = (name: string) => boolean;

/** True if a pattern matches the station name, which is in lower case. */
export type StationMatcher = (station: string) => boolean;

/** True for a station name of at most 128 characters, which may contain `*`. Letters may be in upper case. */
export const isStationPattern = (text: string): boolean => /^[A-Za-z0-9_.*-]{1,128}$/.test(text);

/**
 * Compiles patterns, in which `*` stands for any number of characters. A check is a set lookup for exact names and a scan for
 * patterns with `*`. An empty list matches nothing.
 */
export const compilePatterns = (patterns: readonly string[]): NameMatcher => {
  const exact = new Set(patterns.filter((pattern) => !pattern.includes("*")));
  const wild = patterns.filter((pattern) => pattern.includes("*")).map(compileWildcard);
  return (name) => exact.has(name) || wild.some((matches) => matches(name));
};

/** Memory of a compiled pattern beside its characters. A pattern with `*` is a function with the pieces of the pattern. */
const EXACT_BYTES = 100;
const WILD_BYTES = 350;

/** Estimate of the memory of compiled patterns. */
export const patternBytes = (patterns: readonly string[] = []): number =>
  patterns.reduce(
    (sum, pattern) => sum + pattern.length + (pattern.includes("*") ? WILD_BYTES : EXACT_BYTES),
    0,
  );

/** As `compilePatterns`, but converts the patterns to lower case. Throws SETTINGS_INVALID for an invalid pattern. */
export const compileStationPatterns = (patterns: readonly string[]): StationMatcher => {
  const wrong = patterns.find((pattern) => !isStationPattern(pattern));
  if (wrong !== undefined)
    throw new GatewayError("SETTINGS_INVALID", {
      message: `"${wrong}" is not a station name or pattern; allowed: 1 to 128 letters, digits and the characters _ . - *`,
    });
  return compilePatterns(patterns.map((pattern) => pattern.toLowerCase()));
};

/** Takes the leftmost match of each piece. A regular expression with several `*` would backtrack. */
const compileWildcard = (pattern: string): NameMatcher => {
  const pieces = pattern.split("*");
  const first = pieces.shift() ?? "";
  const last = pieces.pop() ?? "";
  return (name) => {
    if (name.length < first.length + last.length) return false;
    if (!name.startsWith(first) || !name.endsWith(last)) return false;
    const end = name.length - last.length;
    let at = first.length;
    for (const piece of pieces) {
      const found = name.indexOf(piece, at);
      if (found < 0 || found + piece.length > end) return false;
      at = found + piece.length;
    }
    return true;
  };
};

/** "stream": the right to read by event streams. "see": the right to produce or to read in any way. */
export type StationUse = "produce" | "consume" | "stream" | "see";

/**
 * True if the principal may use the station. Only this function decides it. It converts the name to lower case, so that
 * `Orders` needs the same right as `orders`.
 */
export const mayUseStation = (principal: Principal, use: StationUse, station: string): boolean => {
  const name = station.toLowerCase();
  if (use === "produce") return principal.mayProduce(name);
  if (principal.mayConsume(name)) return true;
  if (use === "consume") return false;
  return principal.mayStream?.(name) === true || (use === "see" && principal.mayProduce(name));
};

/** False: there is no station that the principal may read. */
export const mayRead = ({ readable = [[]] }: Pick<Principal, "readable">): boolean =>
  readable.every((patterns) => patterns.length > 0);

/** Matches the stations of `Principal.readable`, in any case. */
export const compileReadable = (readable: readonly (readonly string[])[]): StationMatcher => {
  const lists = readable.map(compileStationPatterns);
  return (station) => lists.every((matches) => matches(station.toLowerCase()));
};

type Complete = Pick<Principal, "isIncomplete">;

/** For the log line of a refusal: the issuer of the principal's token left claims with rights out. */
const causeOf = ({ isIncomplete = false }: Complete) => isIncomplete && { cause: "groups not in the token" };

/** STATION_FORBIDDEN, with the cause for the log line. */
export const stationForbidden = (principal: Complete, message: string): GatewayError =>
  new GatewayError("STATION_FORBIDDEN", { message, ...causeOf(principal) });

/** ADMINISTRATION_DISABLED, with the cause for the log line. */
export const readingForbidden = (principal: Complete): GatewayError =>
  new GatewayError("ADMINISTRATION_DISABLED", { ...causeOf(principal) });

/** Throws STATION_FORBIDDEN, in the words of the Memphis API. */
export const requireStation = (principal: Principal, use: StationUse, station: string): void => {
  if (mayUseStation(principal, use, station)) return;
  throw stationForbidden(principal, `user ${principal.name} is not allowed to access station ${station}`);
};

/** A list that allows no origin: it contains only "", which `originAllowed` refuses. */
const NOWHERE: readonly string[] = [""];

/**
 * Normalises an origin (RFC 6454): scheme, host and port in lower case, without the scheme's default port. `*`, and the
 * `null` of sandboxed pages, stay as they are. undefined: the text is not an origin.
 */
export const normaliseOrigin = (text: string): string | undefined => {
  if (text === "*" || text === "null") return text;
  if (!URL.canParse(text)) return undefined;
  const { protocol, host, pathname, search, hash, username, password } = new URL(text);
  const otherParts = pathname.slice(1) + search + hash + username + password;
  if (host === "" || host.includes("*") || otherParts !== "") return undefined;
  // Not `URL.origin`, which is "null" for the schemes of browser extensions and app shells.
  return `${protocol}//${host}`.toLowerCase();
};

/** Normalises configured origins. Throws SETTINGS_INVALID for an invalid origin. */
export const originList = (origins: readonly string[]): readonly string[] =>
  origins.map((text) => {
    const origin = normaliseOrigin(text);
    if (origin !== undefined) return origin;
    throw new GatewayError("SETTINGS_INVALID", {
      message: `"${text}" is not an origin such as https://shop.example`,
    });
  });

/** The origins that both lists allow. An empty list allows all origins, and requests without an origin. */
export const narrowOrigins = (allowed: readonly string[], wanted: readonly string[]): readonly string[] => {
  if (allowed.length === 0) return wanted;
  if (wanted.length === 0 || wanted.includes("*")) return allowed;
  if (allowed.includes("*")) return wanted;
  const both = wanted.filter((origin) => allowed.includes(origin));
  return both.length === 0 ? NOWHERE : both;
};

/**
 * Throws ORIGIN_FORBIDDEN if the principal has a list of origins and the request's `Origin` is missing or not in it. A browser
 * sends a certificate without being asked: with a certificate every origin must be in the list, and programs send none.
 */
export const requireOrigin = ({ kind, origins }: Principal, origin: string | undefined): void => {
  const isAllowed =
    kind === "certificate" && (origin === undefined || origins.length === 0)
      ? origin === undefined
      : originAllowed(origins, origin);
  if (!isAllowed) throw new GatewayError("ORIGIN_FORBIDDEN");
};

const originAllowed = (allowed: readonly string[], origin: string | undefined): boolean => {
  if (allowed.length === 0) return true;
  if (origin === undefined || origin === "") return false;
  if (allowed.includes("*") || allowed.includes(origin)) return true;
  const normalised = normaliseOrigin(origin);
  return normalised !== undefined && allowed.includes(normalised);
};

/** Groups of connectors, of the gateway and of the event service. Readers may not use them. */
const isReserved = compilePatterns([
  "connect-*",
  "stationgate-*",
  "_stationgate*",
  "group-callback-api",
  "group-client-status-callback*",
]);

/** Maximum length of a group's name in bytes: the embedded log stores it in a key of LMDB. */
const LONGEST_BYTES = 1500;

/** Control characters and unpaired surrogates. Kafka accepts them, but logs and tools can't show them. */
const NOT_TEXT = /[\p{Cc}\p{Cs}]/u;

type Reader = Pick<Principal, "name" | "readsGroup">;

/**
 * The name in Kafka of the group that a reader asks for. If `asked` is undefined, it is the principal's own group. Throws
 * GROUP_FORBIDDEN, and REQUEST_INVALID for a name that can't be stored.
 */
export const groupOf = ({ name, readsGroup }: Reader, asked: string | undefined): string => {
  if (asked === undefined) return storable(`stationgate-${ownName(name)}`);
  if (NOT_TEXT.test(asked)) throw invalid("must be text without control characters");
  if (isReserved(asked))
    throw forbidden(`Group "${asked}" is reserved for the gateway: no "groups" setting allows it`);
  if (readsGroup === undefined) return storable(`stationgate-${encodeURIComponent(name)}/${asked}`);
  if (readsGroup(asked)) return storable(asked);
  throw forbidden(
    `${name} is not allowed to use group "${asked}": the "groups" setting of ${name} does not contain this group`,
  );
};

/**
 * The name in Kafka of the group of a REST Proxy consumer: exactly the name that the client sends. Throws GROUP_FORBIDDEN also
 * for a principal without `groups`: `groupOf` would give it a group under its own name, which has other offsets.
 */
export const groupOfInstance = (reader: Reader, asked: string): string => {
  const group = groupOf(reader, asked);
  if (reader.readsGroup !== undefined) return group;
  throw forbidden(
    `${reader.name} is not allowed to use group "${asked}": ${reader.name} has no "groups" setting that contains this group`,
  );
};

/** Escapes only names with "/" or "%", which could make the groups of two principals equal. */
const ownName = (name: string): string => (/[/%]/.test(name) ? encodeURIComponent(name) : name);

const storable = (group: string): string => {
  if (Buffer.byteLength(group) <= LONGEST_BYTES) return group;
  throw invalid(`is too long: "${group.slice(0, 40)}…" has more than ${LONGEST_BYTES} bytes`);
};

const forbidden = (message: string): GatewayError => new GatewayError("GROUP_FORBIDDEN", { message });

const invalid = (fault: string): GatewayError =>
  new GatewayError("REQUEST_INVALID", { message: `consumer_group ${fault}` });
