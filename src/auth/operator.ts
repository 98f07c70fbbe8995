/** Authentication on the operators' listener: the admin token, or a session of a browser. */
import { createHmac, hkdfSync, randomBytes, timingSafeEqual } from "node:crypto";
import { type FailureThrottle, networkOf } from "./throttle.ts";
import { operatorToken } from "./authenticator.ts";
import { unauthorized } from "./principal.ts";
import { type SecretVerifier, type StoredSecret, storedSecret } from "./secrets.ts";

export interface OperatorSession {
  /** Value of the cookie. */
  readonly value: string;
  /** Milliseconds since the epoch. */
  readonly expires: number;
}

/** Sessions are signed and have an expiry. They are not stored, so every process with the same settings accepts them. */
interface OperatorSessions {
  issue(): OperatorSession;
  /** True if a process with these settings issued the session and it has not expired. */
  holds(value: string): boolean;
}

interface OperatorSessionsOptions {
  /** The configured admin token. Sessions become invalid if it changes. */
  readonly adminToken: StoredSecret;
  /**
   * Secrets of this installation: the first signs, all verify. Without secrets, a process accepts only its own sessions.
   * The admin token is not enough as a key: if it is configured as a hash, a reader of the hash could sign.
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

/** The credentials of a request to the operators' listener. */
interface OperatorCredentials {
  readonly authorizationHeader: string | undefined;
  /** The session cookie. It counts only without an Authorization header. */
  readonly session?: string | undefined;
  /** Network address of the client. */
  readonly address: string;
}

/**
 * Fails with UNAUTHORIZED unless the session is valid, or the header has the admin token, as Bearer or as the password of
 * Basic. After too many wrong tokens from one network, every token from it fails with LOGIN_THROTTLED, the right token too.
 * A request without a token does not count. Fails with OVERLOADED if the token is hashed and too many derivations wait.
 */
export type AdmitOperator = (credentials: OperatorCredentials) => Promise<void>;

/** Issues a session to a client that has the admin token. Fails as `AdmitOperator` does. Wrong tokens count for both together. */
export type SignInOperator = (token: string, address: string) => Promise<OperatorSession>;

export interface OperatorAccess {
  readonly admitOperator: AdmitOperator;
  readonly signInOperator: SignInOperator;
}

interface OperatorDependencies {
  /** Plain text or a scrypt hash. Absent: every request is refused. */
  readonly adminToken: string | undefined;
  readonly verifier: Pick<SecretVerifier, "verify">;
  readonly throttle: FailureThrottle;
  /** Secrets of this installation, which sign sessions. */
  readonly secrets: readonly string[];
  /** Milliseconds since the epoch. */
  readonly now?: () => number;
}

/** A working day. */
const SESSION_TTL = 8 * 3_600_000;

export const createOperatorAccess = (dependencies: OperatorDependencies): OperatorAccess => {
  const { adminToken, verifier, throttle, secrets, now = Date.now } = dependencies;
  const secret = adminToken === undefined ? undefined : storedSecret(adminToken);
  const sessions = secret && createOperatorSessions({ adminToken: secret, secrets, ttl: SESSION_TTL, now });

  const check = async (token: string | undefined, address: string): Promise<void> => {
    if (token === undefined || token === "") throw unauthorized("wrong admin token");
    const network = networkOf(address);
    throttle.check(network);
    const isRight = secret !== undefined && (await verifier.verify(secret, token, ["operators", network]));
    // Guesses that run at the same time must not get an answer after the last allowed failure.
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
