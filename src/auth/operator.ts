/** The door of the operators' listener. */
import { operatorToken } from "./authenticator.ts";
import { createOperatorSessions, type OperatorSession } from "./operator-session.ts";
import { networkOf } from "../lib/network-of.ts";
import { storedSecret, type SecretVerifier } from "./secrets.ts";
import type { FailureThrottle } from "./throttle.ts";
import { unauthorized } from "./unauthorized.ts";

/** What a request to the operators' listener says of its maker. */
export interface OperatorCredentials {
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
