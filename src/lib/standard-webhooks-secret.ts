/** Secrets of Standard Webhooks, as they are given in settings and configurations. */

const LEAST_BYTES = 24;
const MOST_BYTES = 64;
const PUBLIC_PREFIX = "whpk_";
const PUBLIC_KEY_BYTES = 32;

/** What a shared secret has to be. */
export const SECRET_RULE = `the base64 of ${LEAST_BYTES} to ${MOST_BYTES} bytes, with or without the prefix whsec_`;
export const PUBLIC_KEY_RULE = `the base64 of ${PUBLIC_KEY_BYTES} bytes behind the prefix ${PUBLIC_PREFIX}`;

export const isPublicKey = (secret: string): boolean => secret.startsWith(PUBLIC_PREFIX);

/** The key that a shared secret stands for; undefined: it isn't what SECRET_RULE says. */
export const sharedKey = (secret: string): Buffer | undefined => {
  const key = decoded(secret.replace(/^whsec_/, ""));
  return key !== undefined && key.length >= LEAST_BYTES && key.length <= MOST_BYTES ? key : undefined;
};

/** The bytes of an ed25519 public key; undefined: it isn't what PUBLIC_KEY_RULE says. */
export const publicKeyBytes = (secret: string): Buffer | undefined => {
  const key = decoded(secret.slice(PUBLIC_PREFIX.length));
  return key?.length === PUBLIC_KEY_BYTES ? key : undefined;
};

/** What a secret has to be and isn't; undefined: it is sound. */
export const brokenRule = (secret: string): string | undefined => {
  if (isPublicKey(secret)) return publicKeyBytes(secret) === undefined ? PUBLIC_KEY_RULE : undefined;
  return sharedKey(secret) === undefined ? SECRET_RULE : undefined;
};

const decoded = (text: string): Buffer | undefined =>
  /^[A-Za-z0-9+/]+={0,2}$/.test(text) ? Buffer.from(text, "base64") : undefined;
