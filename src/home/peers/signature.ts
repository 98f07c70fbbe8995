/**
 * Signatures of the requests between processes: HMAC-SHA-256 over the method, the path, the id of the target process, the
 * time and the SHA-256 of the body. The signature is checked before the body is read; the body is checked against its hash.
 */
import { createHmac, hash, hkdfSync, timingSafeEqual } from "node:crypto";

/** The secrets of the settings from which the keys are derived; the first kind that exists is used. */
export interface PeerSecrets {
  /** `reading.peer.secret`. */
  readonly secret: string | undefined;
  /** The secrets of access tokens: the first one signs, and a signature by any of them is valid. */
  readonly tokenSecrets: readonly string[];
  /** The API keys as the settings have them. All of them together give one key. */
  readonly apiKeys: readonly string[];
}

const LABEL = "stationgate peer port";

const derived = (secret: string): Buffer => Buffer.from(hkdfSync("sha256", secret, "", LABEL, 32));

/** The keys of the peer port; the first one signs. Empty: the settings have no secret, so the peer port stays closed. */
export const peerKeys = ({ secret, tokenSecrets, apiKeys }: PeerSecrets): readonly Buffer[] => {
  if (secret !== undefined) return [derived(secret)];
  if (tokenSecrets.length > 0) return tokenSecrets.map(derived);
  return apiKeys.length > 0 ? [derived(JSON.stringify([...apiKeys].sort()))] : [];
};

/** The part of a request that is signed. */
export interface SignedRequest {
  readonly method: string;
  /** With the query. */
  readonly path: string;
  /** The id of the target process. */
  readonly target: string;
  /** Hexadecimal SHA-256 of the body. */
  readonly bodyHash: string;
}

/** The request header with `target;time;bodyHash;signature`. */
export const SIGNATURE_HEADER = "x-stationgate-peer";

/** Milliseconds by which the clocks of two processes may differ. */
const MAX_SKEW_MS = 30_000;

const FORM = /^([\w-]{1,64});(\d{1,15});([0-9a-f]{64});([0-9a-f]{64})$/;

export const hashOf = (body: Buffer): string => hash("sha256", body, "hex");

const signatureOf = (key: Buffer, { method, path, target, bodyHash }: SignedRequest, time: number): Buffer =>
  createHmac("sha256", key).update([method, path, target, time, bodyHash].join("\n")).digest();

/** The value of the signature header, with the first key. */
export const signed = (keys: readonly Buffer[], request: SignedRequest, now: number): string => {
  const [key] = keys;
  if (key === undefined) throw new TypeError("the peer port has no key");
  return `${request.target};${now};${request.bodyHash};${signatureOf(key, request, now).toString("hex")}`;
};

/** Checks the signature header of a request to this process. Returns the hash that the body must have; undefined: refused. */
export const verifiedBodyHash = (
  keys: readonly Buffer[],
  header: string | undefined,
  request: Omit<SignedRequest, "bodyHash">,
  now: number,
): string | undefined => {
  const [, target, time, bodyHash = "", given = ""] = FORM.exec(header ?? "") ?? [];
  if (target !== request.target || Math.abs(now - Number(time)) > MAX_SKEW_MS) return undefined;
  const bytes = Buffer.from(given, "hex");
  const isOurs = keys.some((key) =>
    timingSafeEqual(signatureOf(key, { ...request, bodyHash }, Number(time)), bytes),
  );
  return isOurs ? bodyHash : undefined;
};
