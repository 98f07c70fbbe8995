/** Parses and checks secrets of Standard Webhooks. */

const LEAST_BYTES = 24;
const MOST_BYTES = 64;
const PUBLIC_PREFIX = "whpk_";
const PUBLIC_KEY_BYTES = 32;

/** The format of a shared secret, for error texts. */
export const SECRET_RULE = `the base64 of ${LEAST_BYTES} to ${MOST_BYTES} bytes, with or without the prefix whsec_`;
export const PUBLIC_KEY_RULE = `the base64 of ${PUBLIC_KEY_BYTES} bytes after the prefix ${PUBLIC_PREFIX}`;

export const isPublicKey = (secret: string): boolean => secret.startsWith(PUBLIC_PREFIX);

/** The key bytes of a shared secret; undefined: the secret doesn't follow SECRET_RULE. */
export const sharedKey = (secret: string): Buffer | undefined => {
  const key = decoded(secret.replace(/^whsec_/, ""));
  return key !== undefined && key.length >= LEAST_BYTES && key.length <= MOST_BYTES ? key : undefined;
};

/** The bytes of an ed25519 public key; undefined: the key doesn't follow PUBLIC_KEY_RULE. */
export const publicKeyBytes = (secret: string): Buffer | undefined => {
  const key = decoded(secret.slice(PUBLIC_PREFIX.length));
  return key?.length === PUBLIC_KEY_BYTES ? key : undefined;
};

/** The rule that a secret breaks; undefined: the secret is valid. */
export const brokenRule = (secret: string): string | undefined => {
  if (isPublicKey(secret)) return publicKeyBytes(secret) === undefined ? PUBLIC_KEY_RULE : undefined;
  return sharedKey(secret) === undefined ? SECRET_RULE : undefined;
};

const decoded = (text: string): Buffer | undefined =>
  /^[A-Za-z0-9+/]+={0,2}$/.test(text) ? Buffer.from(text, "base64") : undefined;
