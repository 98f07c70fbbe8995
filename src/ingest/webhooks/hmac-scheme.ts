/** Schemes that are an HMAC with a shared secret: a sender declares its headers and signed bytes, `hmacScheme` verifies. */
import { createHmac } from "node:crypto";
import { offersOneOf, type Refusal, type WebhookRequest, type WebhookScheme } from "./webhook.ts";

export type Bytes = string | Buffer;

export type HmacAlgorithm = "sha1" | "sha256" | "sha512";
export type HmacEncoding = "hex" | "base64";

/** How a sender signs with a shared secret. */
export interface HmacDeclaration extends Omit<WebhookScheme, "refusal"> {
  readonly secrets: readonly string[];
  readonly algorithm: HmacAlgorithm;
  readonly encoding: HmacEncoding;
  /** The signatures in the request, without prefixes. */
  signatures(request: WebhookRequest): readonly string[];
  /** The pieces of the signed text, in order; undefined: a piece is missing. */
  signed(request: WebhookRequest): readonly Bytes[] | undefined;
  /** Derives the HMAC key from a secret. Default: the secret's bytes in UTF-8. */
  readonly key?: (secret: string) => Bytes;
  readonly time?: SignedTime;
}

export interface SignedTime {
  /** Every time in the request, in milliseconds since the epoch. An entry is undefined if that time is malformed. */
  read(request: WebhookRequest): readonly (number | undefined)[];
  /** Maximum difference to the gateway's clock in milliseconds, in the past and in the future. */
  readonly tolerance: number;
}

/** Parses seconds or milliseconds in plain digits. Returns milliseconds; undefined: malformed. */
export const epoch = (text: string | undefined, unit: "s" | "ms"): number | undefined =>
  text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) * (unit === "s" ? 1000 : 1) : undefined;

/** The refusal of a request whose time is missing, malformed or outside the tolerance; undefined: the time is valid. */
export const untimely = (time: SignedTime, request: WebhookRequest, now: number): Refusal | undefined => {
  const times = time.read(request);
  if (times.length === 0 || times.includes(undefined)) return "timestamp-missing";
  const outside = times.some((at) => at === undefined || Math.abs(now - at) > time.tolerance);
  return outside ? "timestamp-outside" : undefined;
};

/** The HMAC of the pieces, in the encoding of the sender. */
export const hmac = (
  { algorithm, encoding }: Pick<HmacDeclaration, "algorithm" | "encoding">,
  key: Bytes,
  pieces: readonly Bytes[],
): string => {
  const mac = createHmac(algorithm, key);
  for (const piece of pieces) mac.update(piece);
  return mac.digest(encoding);
};

/** The scheme of a declaration. It checks the time after the signature, so that only a real sender learns about the clock. */
export const hmacScheme = (declaration: HmacDeclaration): WebhookScheme => {
  const { secrets, key = (secret: string) => secret, time, ...rest } = declaration;
  const keys = secrets.map(key);
  // Hex may be in upper or lower case (RFC 4648, section 8). `digest` returns lower case.
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

/** The header's value after the prefix, as a list of one; an empty list if it is absent or has no such prefix. */
export const prefixed = (value: string | undefined, prefix: string): readonly string[] =>
  value?.startsWith(prefix) ? [value.slice(prefix.length)] : [];
