import { createHash, timingSafeEqual } from "node:crypto";

const sameBytes = (a: string, b: string): boolean => {
  const left = Buffer.from(a);
  const right = Buffer.from(b);
  return left.length === right.length && timingSafeEqual(left, right);
};

/**
 * Is one of the offered codes one of the expected? Every pair is looked at, so that the time says nothing. Codes are
 * compared as written: base64 with other spare bits isn't what was sent.
 */
export const offersOneOf = (offered: readonly string[], expected: readonly string[]): boolean => {
  let found = false;
  for (const code of offered) for (const wanted of expected) found = sameBytes(code, wanted) || found;
  return found;
};

const digest = (text: string): string => createHash("sha256").update(text).digest("hex");

/** Is it one of the secrets? Digests are compared, for a secret's length is a secret too. */
export const isOneOf = (offered: string, secrets: readonly string[]): boolean =>
  offersOneOf([digest(offered)], secrets.map(digest));
