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

/** The values of the three headers. */
interface SignatureHeaders {
  readonly id: string;
  readonly timestamp: string;
  readonly signatures: readonly string[];
}

/** More than a sender needs to rotate its keys. Each signature costs a pass over the body before the sender is known. */
const MAX_SIGNATURES = 10;

/** The names of the headers begin with `webhook-` or, for Svix, with `svix-`. All three must have the same prefix. */
const headersWith = (request: WebhookRequest, prefix: "webhook" | "svix"): SignatureHeaders | undefined => {
  const id = header(request, `${prefix}-id`);
  const timestamp = header(request, `${prefix}-timestamp`);
  const signatures = header(request, `${prefix}-signature`)?.split(" ").slice(0, MAX_SIGNATURES);
  return id && timestamp && signatures ? { id, timestamp, signatures } : undefined;
};

const headersOf = (request: WebhookRequest): SignatureHeaders | undefined =>
  headersWith(request, "webhook") ?? headersWith(request, "svix");

const time: SignedTime = {
  read: (request) => [epoch(headersOf(request)?.timestamp, "s")],
  tolerance: 300_000,
};

/** The signatures of one version (`v1,…` or `v1a,…`), without the version. */
const versioned = ({ signatures }: SignatureHeaders, version: string): readonly string[] =>
  signatures.filter((each) => each.startsWith(`${version},`)).map((each) => each.slice(version.length + 1));

const invalid = (rule: string): GatewayError =>
  new GatewayError("SETTINGS_INVALID", { message: `a standard-webhooks secret must be ${rule}` });

/** SubjectPublicKeyInfo of ed25519 (RFC 8410) up to the key's own 32 bytes. */
const ED25519_PREFIX = Buffer.from("302a300506032b6570032100", "hex");

const publicKey = (secret: string): KeyObject => {
  const raw = publicKeyBytes(secret);
  if (raw === undefined) throw invalid(PUBLIC_KEY_RULE);
  return createPublicKey({ key: Buffer.concat([ED25519_PREFIX, raw]), format: "der", type: "spki" });
};

/** The bytes of a signature in base64; undefined: the text is not canonical base64, or not base64. */
const decoded = (signature: string): Buffer | undefined => {
  const bytes = Buffer.from(signature, "base64");
  return bytes.toString("base64") === signature ? bytes : undefined;
};

const isSignedWith = (key: KeyObject, message: Buffer, signature: string): boolean => {
  const bytes = decoded(signature);
  return bytes !== undefined && verify(null, message, key, bytes);
};

/**
 * Standard Webhooks 1.0, which Svix, GitLab's signing tokens and many other senders use: `v1` with a `whsec_` secret, `v1a`
 * with a `whpk_` public key.
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
      const sent = headersOf(request);
      if (sent === undefined) return "credential-missing";
      const pieces = [sent.id, ".", sent.timestamp, ".", request.body];
      const codes = sharedKeys.map((key) => hmac({ algorithm: "sha256", encoding: "base64" }, key, pieces));
      const message = Buffer.concat(pieces.map((piece) => Buffer.from(piece)));
      const isProved =
        offersOneOf(versioned(sent, "v1"), codes) ||
        publicKeys.some((key) => versioned(sent, "v1a").some((each) => isSignedWith(key, message, each)));
      return isProved ? untimely(time, request, now) : "credential-wrong";
    },
    deliveryId: (request) => headersOf(request)?.id,
  };
};
