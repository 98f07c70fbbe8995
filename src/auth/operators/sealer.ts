/** Seals small values into texts that only a gateway with the same secret can read or make (AES-256-GCM). */
import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from "node:crypto";

export interface Sealer {
  /** The text has the characters of base64url. It has 4 characters for each 3 bytes of the value's JSON, and 38 more. */
  readonly seal: (value: unknown) => string;
  /** undefined: the text was not made by `seal` with the same secret and purpose. */
  readonly open: (text: string) => unknown;
}

const CIPHER = "aes-256-gcm";
const IV_BYTES = 12;
const TAG_BYTES = 16;

/**
 * The first secret seals, and all secrets open, so that a secret can be rotated. Texts of different purposes don't open
 * each other.
 */
export const createSealer = (secrets: readonly [string, ...string[]], purpose: string): Sealer => {
  const keyOf = (secret: string): Buffer =>
    Buffer.from(hkdfSync("sha256", secret, "stationgate", purpose, 32));
  const first = keyOf(secrets[0]);
  const keys = [first, ...secrets.slice(1).map(keyOf)];

  return {
    seal: (value) => {
      const iv = randomBytes(IV_BYTES);
      const cipher = createCipheriv(CIPHER, first, iv, { authTagLength: TAG_BYTES });
      const sealed = [iv, cipher.update(JSON.stringify(value)), cipher.final(), cipher.getAuthTag()];
      return Buffer.concat(sealed).toString("base64url");
    },
    open: (text) => {
      const bytes = Buffer.from(text, "base64url");
      // base64url has several spellings of the same bytes. Only one of them is a text of `seal`.
      if (bytes.length < IV_BYTES + TAG_BYTES || bytes.toString("base64url") !== text) return undefined;
      for (const key of keys) {
        const plain = decrypted(key, bytes);
        if (plain !== undefined) return JSON.parse(plain) as unknown;
      }
      return undefined;
    },
  };
};

const decrypted = (key: Buffer, bytes: Buffer): string | undefined => {
  const decipher = createDecipheriv(CIPHER, key, bytes.subarray(0, IV_BYTES), { authTagLength: TAG_BYTES });
  decipher.setAuthTag(bytes.subarray(-TAG_BYTES));
  const plain = decipher.update(bytes.subarray(IV_BYTES, -TAG_BYTES));
  try {
    return Buffer.concat([plain, decipher.final()]).toString();
  } catch {
    return undefined;
  }
};
