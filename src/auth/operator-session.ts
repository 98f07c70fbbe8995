/** Sessions of operators in a browser: signed, expiring, and kept nowhere, so that every process takes each other's. */
import { createHmac, hkdfSync, randomBytes, timingSafeEqual } from "node:crypto";
import type { StoredSecret } from "./secrets.ts";

export interface OperatorSession {
  /** What the browser brings back. */
  readonly value: string;
  /** Milliseconds since the epoch. */
  readonly expires: number;
}

export interface OperatorSessions {
  issue(): OperatorSession;
  /** Did a process of these settings issue it, and does it hold now? */
  holds(value: string): boolean;
}

export interface OperatorSessionsOptions {
  /** The admin token as configured: sessions end when it changes. */
  readonly adminToken: StoredSecret;
  /**
   * Secrets of this installation; the first signs, all verify. Without any a process takes its own sessions only. The
   * token itself won't do as the only key: where it is configured as a hash, who has read the hash could sign.
   */
  readonly secrets: readonly string[];
  /** Milliseconds. */
  readonly ttl: number;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

const ID_BYTES = 16;

/** Expiry in seconds, an id, and the HMAC of both. */
const FORM = /^(\d{1,12})\.([\w-]{22})\.([\w-]{43})$/;

export const createOperatorSessions = (options: OperatorSessionsOptions): OperatorSessions => {
  const { adminToken, secrets, ttl, now } = options;
  const keyOf = (secret: string | Buffer): Buffer =>
    Buffer.from(hkdfSync("sha256", secret, adminToken.digest, "stationgate operator session", 32));
  const [first = randomBytes(32), ...older] = secrets;
  const signer = keyOf(first);
  const keys = [signer, ...older.map(keyOf)];
  const signature = (key: Buffer, claims: string): Buffer =>
    createHmac("sha256", key).update(claims).digest();

  return {
    issue: () => {
      const seconds = Math.floor((now() + ttl) / 1000);
      const claims = `${seconds}.${randomBytes(ID_BYTES).toString("base64url")}`;
      const value = `${claims}.${signature(signer, claims).toString("base64url")}`;
      return { value, expires: seconds * 1000 };
    },
    holds: (value) => {
      const [, seconds, id, signed] = FORM.exec(value) ?? [];
      if (seconds === undefined || id === undefined || signed === undefined) return false;
      const given = Buffer.from(signed, "base64url");
      const isOurs = keys.some((key) => timingSafeEqual(signature(key, `${seconds}.${id}`), given));
      return isOurs && now() < Number(seconds) * 1000;
    },
  };
};
