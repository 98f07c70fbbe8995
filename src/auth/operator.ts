/** The door of the operators' listener. */
import { createHmac, hkdfSync, randomBytes, timingSafeEqual } from "node:crypto";
import { networkOf } from "../lib/network-of.ts";
import { operatorToken } from "./authenticator.ts";
import { unauthorized } from "./principal.ts";
import { type SecretVerifier, type StoredSecret, storedSecret } from "./secrets.ts";
import type { FailureThrottle } from "./throttle.ts";

/** Sessions of operators in a browser: signed, expiring, and kept nowhere, so that every process takes each other's. */

export interface OperatorSession {
  /** What the browser brings back. */
  readonly value: string;
  /** Milliseconds since the epoch. */
  readonly expires: number;
}

interface OperatorSessions {
  issue(): OperatorSession;
  /** Did a process of these settings issue it, and does it hold now? */
  holds(value: string): boolean;
}

interface OperatorSessionsOptions {
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

const createOperatorSessions = (options: OperatorSessionsOptions): OperatorSessions => {
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

/** What a request to the operators' listener says of its maker. */
interface OperatorCredentials {
  readonly authorizationHeader: string | undefined;
  /** The session of a browser. It counts where there is no Authorization header. */
  readonly session?: string | undefined;
  /** Network address of the client. */
  readonly address: string;
}

/**
 * Fails with UNAUTHORIZED unless the header has the admin token, as Bearer or as the password of Basic, or the session holds. Once an address has sent too
 * many wrong tokens, every token from it fails with LOGIN_THROTTLED, the right one too. A request without a token is not
 * counted. Fails with OVERLOADED where the token is hashed and too many derivations wait.
 */
export type AdmitOperator = (credentials: OperatorCredentials) => Promise<void>;

/** A session for a client that has the admin token. Fails as `AdmitOperator` does, and the two count together. */
export type SignInOperator = (token: string, address: string) => Promise<OperatorSession>;

export interface OperatorDoor {
  readonly admitOperator: AdmitOperator;
  readonly signInOperator: SignInOperator;
}

interface OperatorDependencies {
  /** Plain, or a scrypt hash. Without one nobody is admitted. */
  readonly adminToken: string | undefined;
  readonly verifier: Pick<SecretVerifier, "verify">;
  readonly throttle: FailureThrottle;
  /** Secrets of this installation that sessions are signed with. */
  readonly secrets: readonly string[];
  /** Milliseconds since the epoch. */
  readonly now?: () => number;
}

/** A working day. */
const SESSION_TTL = 8 * 3_600_000;

export const createOperatorDoor = (dependencies: OperatorDependencies): OperatorDoor => {
  const { adminToken, verifier, throttle, secrets, now = Date.now } = dependencies;
  const secret = adminToken === undefined ? undefined : storedSecret(adminToken);
  const sessions = secret && createOperatorSessions({ adminToken: secret, secrets, ttl: SESSION_TTL, now });

  const check = async (token: string | undefined, address: string): Promise<void> => {
    if (token === undefined || token === "") throw unauthorized("wrong admin token");
    const network = networkOf(address);
    throttle.check(network);
    const isRight = secret !== undefined && (await verifier.verify(secret, token, ["operators", network]));
    // Of many guesses at the same time, those that end after the last allowed failure learn nothing.
    throttle.check(network);
    if (isRight) return;
    throttle.failed(network);
    throw unauthorized("wrong admin token");
  };

  return {
    admitOperator: async ({ authorizationHeader, session, address }) => {
      if (authorizationHeader === undefined && session !== undefined && sessions?.holds(session) === true)
        return;
      await check(operatorToken(authorizationHeader ?? ""), address);
    },
    signInOperator: async (token, address) => {
      await check(token, address);
      if (sessions === undefined) throw unauthorized("wrong admin token");
      return sessions.issue();
    },
  };
};
