/** The request headers that are stored with an event. */
import type { RecordHeader } from "../broker/broker.ts";

const NONE: readonly RecordHeader[] = [];
const CONNECTION = "connection";
const LETTER_C = 0x63;
const LETTER_T = 0x74;
const LETTER_X = 0x78;

/**
 * Record headers from Node's `rawHeaders` (names and values alternate), in the same order: `traceparent`, `tracestate`,
 * `x-*` except `x-forwarded-*`, and `ce-*` as `ce_*`, percent-decoded (CloudEvents' Kafka binding). Names are in lower
 * case, values byte for byte. Credentials and the headers that `Connection` names are left out.
 *
 * Most requests have none of these headers: the first letter decides before anything is allocated. The cost is linear in
 * the number of headers: `Connection` is parsed at most once.
 */
export const recordHeadersOf = (rawHeaders: readonly string[]): readonly RecordHeader[] => {
  let found: RecordHeader[] | undefined;
  let hopByHop: ReadonlySet<string> | undefined;
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const rawName = rawHeaders[i] ?? "";
    const first = rawName.charCodeAt(0) | 0x20;
    if (first !== LETTER_X && first !== LETTER_T && first !== LETTER_C) continue;
    const name = rawName.toLowerCase();
    if (!travels(name)) continue;
    hopByHop ??= hopByHopOf(rawHeaders);
    if (hopByHop.has(name)) continue;
    found ??= [];
    found.push(recordHeader(name, rawHeaders[i + 1] ?? ""));
  }
  return found ?? NONE;
};

const travels = (name: string): boolean => {
  if (name.startsWith("x-"))
    return !name.startsWith("x-forwarded-") && !isCredential(name) && !isReservedHeader(name);
  if (name.startsWith("ce-")) return !isCredential(name);
  return name === "traceparent" || name === "tracestate";
};

/** Headers that only the gateway writes. Consumers recognise the source of a webhook and repeated events by them. */
export const isReservedHeader = (name: string): boolean =>
  name.startsWith("x-stationgate-") || name === "x-webhook-source" || name === "x-webhook-id";

const isCredential = (name: string): boolean => name === "x-api-key" || name.endsWith("-token");

const NO_NAMES: ReadonlySet<string> = new Set();

/** The headers that `Connection` names: they are for this connection only (RFC 9110, section 7.6.1). */
const hopByHopOf = (rawHeaders: readonly string[]): ReadonlySet<string> => {
  let names: Set<string> | undefined;
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i] ?? "";
    if (name.length !== CONNECTION.length || name.toLowerCase() !== CONNECTION) continue;
    names ??= new Set();
    for (const option of (rawHeaders[i + 1] ?? "").toLowerCase().split(/[\s,]+/)) names.add(option);
  }
  return names ?? NO_NAMES;
};

const recordHeader = (name: string, value: string): RecordHeader =>
  name.startsWith("ce-")
    ? { name: `ce_${name.slice(3)}`, value: percentDecoded(value) }
    : { name, value: Buffer.from(value, "latin1") };

/** CloudEvents' HTTP binding percent-encodes attributes. A value that can't be decoded stays as it is. */
const percentDecoded = (value: string): Buffer => {
  if (!value.includes("%")) return Buffer.from(value, "latin1");
  try {
    return Buffer.from(decodeURIComponent(value));
  } catch {
    return Buffer.from(value, "latin1");
  }
};

/** Maximum number of cached content types. Without it, a client could make the cache grow without end. */
const MAX_KEPT_TYPES = 256;
const keptTypes = new Map<string, readonly RecordHeader[]>();

/** The record headers of an event that has only a content type. They are cached. */
export const contentTypeHeaders = (contentType: string): readonly RecordHeader[] => {
  const kept = keptTypes.get(contentType);
  if (kept !== undefined) return kept;
  const made = [{ name: "content-type", value: Buffer.from(contentType, "latin1") }];
  if (keptTypes.size < MAX_KEPT_TYPES) keptTypes.set(contentType, made);
  return made;
};
