import { createPublicKey, verify, type KeyObject } from "node:crypto";
import { GatewayError } from "../../errors.ts";
import {
  isPublicKey,
  PUBLIC_KEY_RULE,
  publicKeyBytes,
  SECRET_RULE,
  sharedKey,
} from "../../lib/standard-webhooks-secret.ts";
import { epoch, hmac, untimely, type SignedTime } from "./hmac-scheme.ts";
import {
  header,
  offersOneOf,
  type WebhookRequest,
  type WebhookScheme,
  type WebhookSettings,
} from "./webhook.ts";

interface Signed {
  readonly id: string;
  readonly timestamp: string;
  readonly signatures: readonly string[];
}

/** An ed25519 check costs some 100 µs; nobody rotates more keys than this at once. */
const MOST_SIGNATURES = 10;

/** The three headers, all of one family. */
const signedBy = (request: WebhookRequest, family: "webhook" | "svix"): Signed | undefined => {
  const id = header(request, `${family}-id`);
  const timestamp = header(request, `${family}-timestamp`);
  const signatures = header(request, `${family}-signature`)?.split(" ").slice(0, MOST_SIGNATURES);
  return id && timestamp && signatures ? { id, timestamp, signatures } : undefined;
};

const signed = (request: WebhookRequest): Signed | undefined =>
  signedBy(request, "webhook") ?? signedBy(request, "svix");

const time: SignedTime = {
  read: (request) => [epoch(signed(request)?.timestamp, "s")],
  tolerance: 300_000,
};

/** More than any rotation of keys has. Each costs a verification of the whole body, before the sender is known. */
const MAX_SIGNATURES = 8;

const versioned = ({ signatures }: Signed, version: string): readonly string[] =>
  signatures
    .filter((each) => each.startsWith(`${version},`))
    .slice(0, MAX_SIGNATURES)
    .map((each) => each.slice(version.length + 1));

const invalid = (rule: string): GatewayError =>
  new GatewayError("SETTINGS_INVALID", { message: `a standard-webhooks secret must be ${rule}` });

/** SubjectPublicKeyInfo of ed25519 (RFC 8410) up to the key's own 32 bytes. */
const ED25519_PREFIX = Buffer.from("302a300506032b6570032100", "hex");

const publicKey = (secret: string): KeyObject => {
  const raw = publicKeyBytes(secret);
  if (raw === undefined) throw invalid(PUBLIC_KEY_RULE);
  return createPublicKey({ key: Buffer.concat([ED25519_PREFIX, raw]), format: "der", type: "spki" });
};

/** One spelling for each signature: base64 with other spare bits isn't what was sent. */
const decoded = (signature: string): Buffer | undefined => {
  const bytes = Buffer.from(signature, "base64");
  return bytes.toString("base64") === signature ? bytes : undefined;
};

const signedWith = (key: KeyObject, message: Buffer, signature: string): boolean => {
  const bytes = decoded(signature);
  return bytes !== undefined && verify(null, message, key, bytes);
};

/**
 * Standard Webhooks 1.0, as Svix, GitLab's signing tokens and many others send it: `v1` under a `whsec_` secret,
 * `v1a` under a `whpk_` public key.
 */
export const standardWebhooks = ({ secrets }: WebhookSettings): WebhookScheme => {
  const publicKeys = secrets.filter(isPublicKey).map(publicKey);
  const sharedKeys = secrets
    .filter((secret) => !isPublicKey(secret))
    .map((secret) => {
      const key = sharedKey(secret);
      if (key === undefined) throw invalid(SECRET_RULE);
      return key;
    });

  return {
    refusal(request, now) {
      const sent = signed(request);
      if (sent === undefined) return "credential-missing";
      const pieces = [sent.id, ".", sent.timestamp, ".", request.body];
      const codes = sharedKeys.map((key) => hmac({ algorithm: "sha256", encoding: "base64" }, key, pieces));
      const message = Buffer.concat(pieces.map((piece) => Buffer.from(piece)));
      const proved =
        offersOneOf(versioned(sent, "v1"), codes) ||
        publicKeys.some((key) => versioned(sent, "v1a").some((each) => signedWith(key, message, each)));
      return proved ? untimely(time, request, now) : "credential-wrong";
    },
    deliveryId: (request) => signed(request)?.id,
  };
};
