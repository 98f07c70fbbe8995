/** Authentication on the operators' listener: tokens, sessions of browsers, and the credentials that other units verify. */
import { randomBytes } from "node:crypto";
import { operatorCredential } from "../authenticator.ts";
import type { ClientCertificate } from "../certificates.ts";
import { unauthorized, type UnauthorizedReason } from "../principal.ts";
import type { SecretVerifier } from "../secrets.ts";
import { type FailureThrottle, networkOf } from "../throttle.ts";
import {
  type AdminToken,
  type AdminTokenOptions,
  type AdminTokens,
  createAdminTokens,
  type GivenToken,
} from "./admin-tokens.ts";
import {
  createOperatorSessions,
  type IdentifiedOperator,
  type OperatorSession,
  type OperatorSessions,
  type ProviderSettings,
} from "./operator-sessions.ts";
import type { Operator } from "./operator.ts";
import { createSealer } from "./sealer.ts";

/** The credentials that a browser adds to a request by itself. */
export type AmbientCredential = "session" | "basic" | "certificate";

/** The credentials of a request to the operators' listener. */
export interface OperatorCredentials {
  readonly authorizationHeader: string | undefined;
  /** The session cookie. */
  readonly session?: string | undefined;
  /** The verified certificate of the connection. */
  readonly certificate?: ClientCertificate | undefined;
  /** Network address of the client. */
  readonly address: string;
  /** Credentials that don't count in this request, because a page of another site may have sent it. Default: none. */
  readonly refused?: readonly AmbientCredential[];
}

/**
 * The operator of a request. Only the first of these credentials counts: Authorization (Bearer or Basic), the session cookie,
 * the certificate. Fails with UNAUTHORIZED if it is wrong. After too many wrong tokens from one network, every token from it
 * fails with LOGIN_THROTTLED, the right token too. A request without a token does not count. A text with the form of a JWT counts
 * only if `admin.oidc.audience` is not set.
 * Fails with OVERLOADED if the token is hashed and too many derivations wait.
 */
export type AdmitOperator = (credentials: OperatorCredentials) => Promise<Operator>;

export interface SignedInOperator {
  readonly operator: Operator;
  readonly session: OperatorSession;
}

/** Opens a session for a client that has a token. Fails as `AdmitOperator` does, and wrong tokens count for both together. */
export type SignInOperator = (token: string, address: string) => Promise<SignedInOperator>;

export interface OperatorAccess {
  readonly admitOperator: AdmitOperator;
  readonly signInOperator: SignInOperator;
  /** Opens a session for an operator whom the identity provider has identified. Throws UNAUTHORIZED without a provider. */
  readonly openSession: (operator: IdentifiedOperator) => OperatorSession;
  /**
   * The operator of the same credential under these settings; undefined: the credential is gone. The end of a credential does
   * not count. The operator may come from the access of earlier settings.
   */
  renewOperator(operator: Operator): Operator | undefined;
}

/** A kind of credential that another unit verifies. */
export interface OperatorSource<C> {
  /** undefined: the credential is of another kind. Fails with UNAUTHORIZED or ROLE_FORBIDDEN, and without waiting if possible. */
  readonly admit: (credential: C) => Operator | Promise<Operator> | undefined;
  /** As `renewOperator`, for the operators of this source. */
  readonly renew: (operator: Operator) => Operator | undefined;
}

/** JWTs of the identity provider. */
export interface OperatorJwts extends OperatorSource<string> {
  /** Why a text that no source knows is refused. undefined: it does not have the form of a JWT. */
  readonly faultOf: (text: string) => UnauthorizedReason | undefined;
}

/** The settings `admin`. */
export interface OperatorSettings {
  readonly token?: string | undefined;
  readonly tokens: readonly AdminTokenOptions[];
  /** Milliseconds. */
  readonly sessionTtl: number;
  readonly sessionSecret?: string | undefined;
  readonly oidc?: ProviderSettings | undefined;
}

export interface OperatorDependencies {
  readonly settings: OperatorSettings;
  readonly verifier: SecretVerifier;
  readonly throttle: FailureThrottle;
  /**
   * Secrets of this installation, which seal sessions if `sessionSecret` is not set. Without any secret a process accepts only
   * its own sessions.
   */
  readonly secrets: readonly string[];
  /** JWTs of the identity provider. Absent: a JWT is a wrong token. */
  readonly jwts?: OperatorJwts | undefined;
  /** Absent: a certificate is no credential. */
  readonly certificates?: OperatorSource<ClientCertificate> | undefined;
  /** Milliseconds since the epoch. */
  readonly now?: () => number;
}

/** The tokens behind the operators that `admitOperator` returned. */
const ofTokens = new WeakMap<Operator, AdminToken>();

export const createOperatorAccess = (dependencies: OperatorDependencies): OperatorAccess => {
  const { settings, verifier, jwts, certificates, now = Date.now } = dependencies;
  const tokens = createAdminTokens({ ...settings, token: settings.token, verifier, now });
  const sessions = createOperatorSessions({
    sealer: createSealer(sealingSecrets(dependencies), "operator session"),
    tokens,
    provider: settings.oidc,
    ttl: settings.sessionTtl,
    now,
  });

  const check = tokenCheck(tokens, dependencies);

  return {
    admitOperator: createAdmit(dependencies, check, sessions),
    signInOperator: async (token, address) => {
      const found = await check({ token }, address);
      const session = sessions.forToken(found);
      return { operator: operatorOf(found, "token"), session };
    },
    openSession: (operator) => sessions.forIdentified(operator),
    renewOperator: (operator) => {
      if (operator.via === "bearer") return jwts?.renew(operator);
      if (operator.via === "certificate") return certificates?.renew(operator);
      const token = ofTokens.get(operator);
      if (token === undefined) return sessions.renew(operator);
      const current = tokens.named(token.name);
      return current?.fingerprint.equals(token.fingerprint) === true
        ? operatorOf(current, operator.via)
        : undefined;
    },
  };
};

type CheckToken = (given: GivenToken | undefined, address: string) => Promise<AdminToken>;

const tokenCheck =
  (tokens: AdminTokens, { throttle, jwts }: OperatorDependencies): CheckToken =>
  async (given, address) => {
    if (given === undefined || given.token === "") throw unauthorized("wrong admin token");
    const network = networkOf(address);
    throttle.check(network);
    // A program with a JWT that the gateway can't accept guesses nothing: it must not lock out other callers of its network.
    // A text that is not counted must be cheap to check, so its hash is never derived.
    const faultOfJwt = jwts?.faultOf(given.token);
    const found =
      faultOfJwt === undefined ? await tokens.find(given, ["operators", network]) : tokens.findKnown(given);
    // Guesses that run at the same time must not get an answer after the last allowed failure.
    throttle.check(network);
    if (found !== undefined) return found;
    if (faultOfJwt !== undefined) throw unauthorized(faultOfJwt);
    throttle.failed(network);
    throw unauthorized("wrong admin token");
  };

const createAdmit = (
  { jwts, certificates }: OperatorDependencies,
  check: CheckToken,
  sessions: OperatorSessions,
): AdmitOperator => {
  const admitHeader = async (
    header: string,
    { address, refused = [] }: OperatorCredentials,
  ): Promise<Operator> => {
    const given = operatorCredential(header);
    const isBasic = given?.name !== undefined;
    if (isBasic && refused.includes("basic")) throw unauthorized("request of another site");
    const ofJwt = isBasic || given === undefined ? undefined : jwts?.admit(given.token);
    return ofJwt ?? operatorOf(await check(given, address), isBasic ? "basic" : "token");
  };

  const admitSession = (session: string, { refused = [] }: OperatorCredentials): Operator => {
    if (refused.includes("session")) throw unauthorized("request of another site");
    const operator = sessions.open(session);
    if (operator === undefined) throw unauthorized("invalid session");
    return operator;
  };

  const admitCertificate = async (
    certificate: ClientCertificate,
    { refused = [] }: OperatorCredentials,
  ): Promise<Operator> => {
    if (refused.includes("certificate")) throw unauthorized("request of another site");
    const operator = await certificates?.admit(certificate);
    if (operator === undefined) throw unauthorized("no credential");
    return operator;
  };

  return async (credentials) => {
    const { authorizationHeader, session, certificate } = credentials;
    if (authorizationHeader !== undefined) return admitHeader(authorizationHeader, credentials);
    if (session !== undefined) return admitSession(session, credentials);
    if (certificate !== undefined) return admitCertificate(certificate, credentials);
    throw unauthorized("no credential");
  };
};

const operatorOf = (token: AdminToken, via: Operator["via"]): Operator => {
  const { name, role, expires } = token;
  const operator: Operator = { name, role, via, ...(expires !== undefined && { expires }) };
  ofTokens.set(operator, token);
  return operator;
};

/** The secrets that seal what browsers keep for operators: the first seals, and all open. */
export const sealingSecrets = ({
  settings,
  secrets,
}: Pick<OperatorDependencies, "settings" | "secrets">): [string, ...string[]] => {
  if (settings.sessionSecret !== undefined) return [settings.sessionSecret];
  const [first = randomBytes(32).toString("base64url"), ...older] = secrets;
  return [first, ...older];
};
