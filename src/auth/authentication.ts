/** Creates the authentication of clients and operators from the settings. */
import { randomBytes } from "node:crypto";
import { type AccountOptions, createAccounts } from "./accounts.ts";
import { type ApiKeyOptions, createApiKeyVerifier } from "./api-keys.ts";
import { type Authenticate, createAuthenticator, createBearerVerifier } from "./authenticator.ts";
import { type CertificateOptions, createCertificateVerifier, renewCertificate } from "./certificates.ts";
import type { Issuers } from "./issuers/issuers.ts";
import type { FairTurns } from "../lib/fair-turns.ts";
import { createLogin, createSessions, type Lifetime, type Sessions } from "./session.ts";
import {
  createOperatorAccess,
  type OperatorAccess,
  type OperatorJwts,
  type OperatorSettings,
} from "./operators/operators.ts";
import { createOperatorCertificates, type OperatorCertificate } from "./operator-certificates.ts";
import type { RenewPrincipal } from "./principal.ts";
import { createSecretVerifier, derivationTurns } from "./secrets.ts";
import { createSignInCheck } from "./sign-in-check.ts";
import { createFailureMemory, createFailureThrottle, type FailureMemory } from "./throttle.ts";
import { createTokens, type TokenKey, type Tokens } from "./tokens.ts";

interface TokenSettings extends Lifetime {
  /** The first secret signs; all secrets verify. */
  readonly secrets: readonly TokenKey[];
}

/** The parts of authentication that a reload of the settings keeps. One for each process. */
export interface LastingAuthentication {
  readonly turns: FairTurns;
  /** Failed sign-ins, wrong API keys and wrong operators' tokens. */
  readonly failures: Readonly<Record<"login" | "apiKey" | "operator", FailureMemory>>;
  /** Signs the operators' sessions if the settings have no secret. */
  readonly ownSecret: string;
}

export const createLastingAuthentication = (): LastingAuthentication => ({
  turns: derivationTurns(),
  failures: { login: createFailureMemory(), apiKey: createFailureMemory(), operator: createFailureMemory() },
  ownSecret: randomBytes(32).toString("base64url"),
});

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
  /** Maximum memory of the access tokens that were verified before. */
  readonly tokenCacheBytes?: number;
  readonly loginFailuresPerMinute: number;
  /** JWTs of the operators' identity provider; undefined: they are no credential. */
  readonly operatorJwts?: OperatorJwts | undefined;
  /** The settings `admin`. */
  readonly admin: OperatorSettings & {
    readonly failuresPerMinute: number;
    readonly certificates?: readonly OperatorCertificate[];
  };
  /** Default: lasting parts of its own. */
  readonly lasting?: LastingAuthentication;
  readonly now?: () => number;
}

export interface Authentication extends OperatorAccess {
  readonly authenticate: Authenticate;
  readonly sessions: Sessions;
  readonly renew: RenewPrincipal;
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
  const { apiKeys, admin, accessToken, refreshToken, otherIssuers, now = Date.now } = options;
  const { turns, failures, ownSecret } = options.lasting ?? createLastingAuthentication();
  const verifier = createSecretVerifier({ turns });
  const accounts = createAccounts(options.accounts);
  const throttled = (limit: number, of: keyof typeof failures) =>
    createFailureThrottle({ limit, windowMs: MINUTE, failures: failures[of] });
  const tokens = (use: "access" | "refresh", keys: readonly TokenKey[]): Tokens =>
    createTokens({ use, keys, issuer: options.issuer, audience: options.audience, now });

  const access = tokens("access", keysOf(accessToken));
  const refresh = tokens("refresh", keysOf(refreshToken));
  const login = createLogin({
    accounts,
    isRight: createSignInCheck({ accounts, verifier, turns }),
    throttle: throttled(options.loginFailuresPerMinute, "login"),
  });
  const bearer = createBearerVerifier({
    ...{ tokens: access, accounts, now },
    issuers: otherIssuers && { ...otherIssuers, ownIssuer: options.issuer },
    maxRememberedBytes: options.tokenCacheBytes,
  });
  const apiKey = createApiKeyVerifier({
    keys: apiKeys,
    verifier,
    throttle: throttled(API_KEY_FAILURES_PER_MINUTE, "apiKey"),
    now,
  });
  const verifyCertificate = createCertificateVerifier(options.certificates ?? [], now);
  const secrets = accessToken.secrets.map(({ secret }) => secret);
  return {
    authenticate: createAuthenticator({
      verifyBearer: bearer.verify,
      verifyApiKey: apiKey.verify,
      verifyCertificate,
    }),
    renew: (principal) => {
      if (principal.kind === "issuer") return otherIssuers?.renew(principal);
      if (principal.kind === "certificate") return renewCertificate(verifyCertificate, principal);
      return (principal.kind === "api-key" ? apiKey : bearer).renew(principal);
    },
    sessions: createSessions({
      login,
      accounts,
      access: { tokens: access, lifetime: accessToken },
      refresh: { tokens: refresh, lifetime: refreshToken },
    }),
    ...createOperatorAccess({
      settings: admin,
      verifier,
      throttle: throttled(admin.failuresPerMinute, "operator"),
      secrets: secrets.length > 0 ? secrets : [ownSecret],
      jwts: options.operatorJwts,
      certificates: createOperatorCertificates(admin.certificates ?? [], now),
      now,
    }),
  };
};
