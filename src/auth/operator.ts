/** The door of the operators' listener. */
import { bearerToken } from "./authenticator.ts";
import { createOperatorSessions, type OperatorSession } from "./operator-session.ts";
import { storedSecret, type VerifySecret } from "./secrets.ts";
import type { FailureThrottle } from "./throttle.ts";
import { unauthorized } from "./unauthorized.ts";

/**
 * Takes the Authorization header; fails with UNAUTHORIZED unless it is `Bearer <admin token>`, or there is none and
 * the browser's session holds.
 */
export type AdmitOperator = (authorizationHeader: string | undefined, session?: string) => Promise<void>;

/**
 * A session for who has the admin token. Fails with UNAUTHORIZED, and with LOGIN_THROTTLED once an address has sent
 * too many wrong ones.
 */
export type SignInOperator = (token: string, address: string) => Promise<OperatorSession>;

export interface OperatorDoor {
  readonly admitOperator: AdmitOperator;
  readonly signInOperator: SignInOperator;
}

interface OperatorDependencies {
  /** Plain, or a scrypt hash. Without one nobody is admitted. */
  readonly adminToken: string | undefined;
  readonly verify: VerifySecret;
  readonly throttle: FailureThrottle;
  /** Secrets of this installation that sessions are signed with. */
  readonly secrets: readonly string[];
  /** Milliseconds since the epoch. */
  readonly now?: () => number;
}

/** A working day. */
const SESSION_TTL = 8 * 3_600_000;

export const createOperatorDoor = (dependencies: OperatorDependencies): OperatorDoor => {
  const { adminToken, verify, throttle, secrets, now = Date.now } = dependencies;
  const secret = adminToken === undefined ? undefined : storedSecret(adminToken);
  const sessions = secret && createOperatorSessions({ adminToken: secret, secrets, ttl: SESSION_TTL, now });
  return {
    admitOperator: async (authorizationHeader, session) => {
      if (authorizationHeader === undefined && session !== undefined && sessions?.holds(session)) return;
      const token = bearerToken(authorizationHeader ?? "");
      if (secret === undefined || token === undefined || !(await verify(secret, token)))
        throw unauthorized("wrong admin token");
    },
    signInOperator: async (token, address) => {
      throttle.check(address);
      if (secret === undefined || sessions === undefined || !(await verify(secret, token))) {
        throttle.failed(address);
        throw unauthorized("wrong admin token");
      }
      return sessions.issue();
    },
  };
};
