/** Creates the authentication of clients and operators from the settings. */
import { randomBytes } from "node:crypto";
import { type AccountOptions, createAccounts } from "./accounts.ts";
import { type ApiKeyOptions, createApiKeyVerifier } from "./api-keys.ts";
import { type Authenticate, createAuthenticator, createBearerVerifier } from "./authenticator.ts";
import { type CertificateOptions, createCertificateVerifier } from "./certificates.ts";
import type { Issuers } from "./issuers/issuers.ts";
import { createLogin, createSessions, type Lifetime, type Sessions } from "./session.ts";
import { createOperatorAccess, type OperatorAccess } from "./operator.ts";
import { createSecretVerifier, derivationTurns } from "./secrets.ts";
import { createSignInCheck } from "./sign-in-check.ts";
import { createFailureThrottle } from "./throttle.ts";
import { createTokens, type TokenKey, type Tokens } from "./tokens.ts";

interface TokenSettings extends Lifetime {
  /** The first secret signs; all secrets verify. */
  readonly secrets: readonly TokenKey[];
}

/** The options are those of the settings, except `now` (milliseconds since the epoch), which is for tests. */
export interface AuthenticationOptions {
  readonly accounts: readonly AccountOptions[];
  readonly apiKeys: readonly ApiKeyOptions[];
  readonly certificates?: readonly CertificateOptions[];
  readonly accessToken: TokenSettings;
  readonly refreshToken: TokenSettings;
  readonly issuer: string;
  readonly audience: string;
  /** undefined: only the gateway itself issues tokens for clients. */
  readonly otherIssuers?: Issuers | undefined;
  readonly loginFailuresPerMinute: number;
  readonly adminToken: string | undefined;
  readonly adminFailuresPerMinute: number;
  readonly now?: () => number;
}

export interface Authentication extends OperatorAccess {
  readonly authenticate: Authenticate;
  readonly sessions: Sessions;
}

/** Maximum number of different wrong keys from one network in a minute, if keys are hashed. */
const API_KEY_FAILURES_PER_MINUTE = 60;
const MINUTE = 60_000;

/**
 * If the settings have no token secrets, they have no accounts either. Then the only key is random, so every token is refused.
 */
const keysOf = ({ secrets }: TokenSettings): readonly TokenKey[] =>
  secrets.length > 0 ? secrets : [{ kid: "none", secret: randomBytes(32).toString("base64url") }];

/** Throws SETTINGS_INVALID for invalid accounts, keys or secrets. */
export const createAuthentication = (options: AuthenticationOptions): Authentication => {
  const { apiKeys, adminToken, accessToken, refreshToken, otherIssuers, now = Date.now } = options;
  const turns = derivationTurns();
  const verifier = createSecretVerifier({ turns });
  const accounts = createAccounts(options.accounts);
  const throttled = (limit: number) => createFailureThrottle({ limit, windowMs: MINUTE });
  const tokens = (use: "access" | "refresh", keys: readonly TokenKey[]): Tokens =>
    createTokens({ use, keys, issuer: options.issuer, audience: options.audience, now });

  const access = tokens("access", keysOf(accessToken));
  const refresh = tokens("refresh", keysOf(refreshToken));
  const login = createLogin({
    accounts,
    isRight: createSignInCheck({ accounts, verifier, turns }),
    throttle: throttled(options.loginFailuresPerMinute),
  });
  return {
    authenticate: createAuthenticator({
      verifyBearer: createBearerVerifier({
        ...{ tokens: access, accounts, now },
        issuers: otherIssuers && { ...otherIssuers, ownIssuer: options.issuer },
      }),
      verifyApiKey: createApiKeyVerifier({
        keys: apiKeys,
        verifier,
        throttle: throttled(API_KEY_FAILURES_PER_MINUTE),
        now,
      }),
      verifyCertificate: createCertificateVerifier(options.certificates ?? [], now),
    }),
    sessions: createSessions({
      login,
      accounts,
      access: { tokens: access, lifetime: accessToken },
      refresh: { tokens: refresh, lifetime: refreshToken },
    }),
    ...createOperatorAccess({
      adminToken,
      verifier,
      throttle: throttled(options.adminFailuresPerMinute),
      secrets: accessToken.secrets.map(({ secret }) => secret),
      now,
    }),
  };
};
