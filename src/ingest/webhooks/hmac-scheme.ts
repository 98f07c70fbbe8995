import { createHmac } from "node:crypto";
import { offersOneOf, type Refusal, type WebhookRequest, type WebhookScheme } from "./webhook.ts";

export type Bytes = string | Buffer;

export type HmacAlgorithm = "sha1" | "sha256" | "sha512";
export type HmacEncoding = "hex" | "base64";

/** How one sender signs with a shared secret. */
export interface HmacDeclaration extends Omit<WebhookScheme, "refusal"> {
  readonly secrets: readonly string[];
  readonly algorithm: HmacAlgorithm;
  readonly encoding: HmacEncoding;
  /** The signatures that the request offers, bare of prefixes. */
  signatures(request: WebhookRequest): readonly string[];
  /** What is signed, in pieces; undefined: the request lacks a piece. */
  signed(request: WebhookRequest): readonly Bytes[] | undefined;
  /** The key that a secret stands for; default: its own bytes. */
  readonly key?: (secret: string) => Bytes;
  readonly time?: SignedTime;
}

export interface SignedTime {
  /** Milliseconds since the epoch; more than one where a request tells its time twice. */
  read(request: WebhookRequest): readonly (number | undefined)[];
  /** Milliseconds, to both sides: a clock that runs ahead is as wrong as an old request. */
  readonly tolerance: number;
}

/** Seconds or milliseconds written as plain digits, in milliseconds. */
export const epoch = (text: string | undefined, unit: "s" | "ms"): number | undefined =>
  text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) * (unit === "s" ? 1000 : 1) : undefined;

/** The refusal that a request's age calls for. */
export const untimely = (time: SignedTime, request: WebhookRequest, now: number): Refusal | undefined => {
  const times = time.read(request);
  if (times.length === 0 || times.includes(undefined)) return "timestamp-missing";
  const outside = times.some((at) => at === undefined || Math.abs(now - at) > time.tolerance);
  return outside ? "timestamp-outside" : undefined;
};

/** The code of the pieces under a key, as the sender would write it. */
export const hmac = (
  { algorithm, encoding }: Pick<HmacDeclaration, "algorithm" | "encoding">,
  key: Bytes,
  pieces: readonly Bytes[],
): string => {
  const code = createHmac(algorithm, key);
  for (const piece of pieces) code.update(piece);
  return code.digest(encoding);
};

/** The scheme of a declaration: the signature first, so that the clock says nothing to those who can't sign. */
export const hmacScheme = (declaration: HmacDeclaration): WebhookScheme => {
  const { secrets, key = (secret: string) => secret, time, ...rest } = declaration;
  const keys = secrets.map(key);
  // Hex has two spellings of the same bytes (RFC 4648, section 8); ours is in lower case.
  const signaturesOf = (request: WebhookRequest): readonly string[] => {
    const offered = declaration.signatures(request);
    return declaration.encoding === "hex" ? offered.map((code) => code.toLowerCase()) : offered;
  };
  return {
    ...rest,
    refusal(request, now) {
      const offered = signaturesOf(request);
      const pieces = declaration.signed(request);
      if (offered.length === 0 || pieces === undefined) return "credential-missing";
      const expected = keys.map((each) => hmac(declaration, each, pieces));
      if (!offersOneOf(offered, expected)) return "credential-wrong";
      return time && untimely(time, request, now);
    },
  };
};

/** The header's value behind a prefix, as a list of one; empty when it is absent or begins otherwise. */
export const prefixed = (value: string | undefined, prefix: string): readonly string[] =>
  value?.startsWith(prefix) ? [value.slice(prefix.length)] : [];
