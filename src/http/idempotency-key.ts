/** `Idempotency-Key` (IETF draft "The Idempotency-Key HTTP Header Field"): a repeated call with the key stores nothing again. */
import { createHash } from "node:crypto";
import type { RecordHeader } from "../broker/broker.ts";
import { GatewayError } from "../errors.ts";
import type { CallId } from "../ingest/event-ids.ts";
import type { Station } from "../ingest/stations.ts";
import type { AuthorisedCall, Call } from "./call.ts";

const LONGEST_KEY = 255;

/** Returns the key of the call; undefined: it has none. Throws REQUEST_INVALID if the key is empty or too long. */
const idempotencyKeyOf = ({ request }: Call): string | undefined => {
  const key = request.headers["idempotency-key"];
  if (key === undefined) return undefined;
  if (typeof key === "string" && key !== "" && key.length <= LONGEST_KEY) return key;
  throw new GatewayError("REQUEST_INVALID", {
    message: `Idempotency-Key must have 1 to ${LONGEST_KEY} characters (got ${key.length})`,
  });
};

const NO_HEADERS: readonly RecordHeader[] = [];

/** The record header with which the key of the call is stored, so that readers see it. Empty for a call without a key. */
export const keyHeaders = (call: Call): readonly RecordHeader[] => {
  const key = idempotencyKeyOf(call);
  if (key === undefined) return NO_HEADERS;
  return [{ name: "x-idempotency-key", value: Buffer.from(key, "latin1") }];
};

export interface KeyedCall {
  readonly station: Station;
  /** The parts of the payload. A repeat with other parts is refused. */
  readonly payload: Iterable<string | Buffer>;
  /** Milliseconds in which a repeated call stores nothing. */
  readonly windowMs: number;
}

/** undefined: the call has no key. Another route, station or caller is another scope. `Prefer` does not count. */
export const callIdOf = (
  call: AuthorisedCall,
  { station, payload, windowMs }: KeyedCall,
): CallId | undefined => {
  const key = idempotencyKeyOf(call);
  if (key === undefined) return undefined;
  const { kind, name } = call.principal;
  return {
    scope: ["call", `${kind} ${name}`, call.route ?? "", station.name, key],
    windowMs,
    payload: digestOf(payload),
    strict: true,
  };
};

/** The payload of a call whose whole body counts. */
export const wholeBody = ({ request }: Call, body: Buffer): readonly (string | Buffer)[] => [
  request.headers["content-type"] ?? "",
  body,
];

/** The length before each part keeps "ab", "c" apart from "a", "bc". */
const digestOf = (parts: Iterable<string | Buffer>): Buffer => {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(`${Buffer.byteLength(part)} `).update(part);
  return hash.digest();
};
