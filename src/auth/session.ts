/** Sign-in with a connection token or a password, and refresh. Both return a pair of tokens. */
import { type FailureThrottle, networkOf } from "./throttle.ts";
import { type Account, accountName, type AccountName, type Accounts } from "./accounts.ts";
import { unauthorized } from "./principal.ts";
import { parseScope } from "./scope.ts";
import type { CheckSignIn } from "./sign-in-check.ts";
import type { Tokens, TokenSubject } from "./tokens.ts";

export interface LoginAttempt {
  /** As sent: `user` or `user$7`. */
  readonly username: string;
  readonly accountId?: number | undefined;
  readonly connectionToken?: string | undefined;
  readonly password?: string | undefined;
  /** Network address of the client. Failures are counted for each pair of user and network. */
  readonly address: string;
}

interface SignedIn {
  readonly account: Account;
  readonly name: AccountName;
}

/**
 * Resolves if one of the given credentials belongs to the account. Rejects with UNAUTHORIZED, with LOGIN_THROTTLED after
 * too many failures, and with OVERLOADED. Text and time of UNAUTHORIZED don't depend on whether the user exists.
 */
type Login = (attempt: LoginAttempt) => Promise<SignedIn>;

interface LoginDependencies {
  readonly accounts: Accounts;
  readonly isRight: CheckSignIn;
  readonly throttle: FailureThrottle;
}

export const createLogin =
  ({ accounts, isRight, throttle }: LoginDependencies): Login =>
  async ({ username, accountId, connectionToken, password, address }) => {
    const name = accountName(username, accountId);
    const network = networkOf(address);
    const guesser = JSON.stringify([name.username, network]);
    throttle.check(guesser);
    const account = accounts.find(name.username);
    const given = { username: name.username, account, connectionToken, password, network };
    const right = await isRight(given).catch((error: unknown) => {
      // A sign-in without a result is also a failure: its credential may have been compared (see `sign-in-check.ts`).
      throttle.failed(guesser);
      throw error;
    });
    // If sign-ins at the same time have reached the limit meanwhile, this sign-in must not learn its result.
    throttle.check(guesser);
    if (account !== undefined && right) return { account, name };
    throttle.failed(guesser);
    throw unauthorized("wrong login");
  };

/** Lifetimes that the client asks for, in minutes. Absent, zero or less: the default. Above the maximum: the maximum. */
interface WantedLifetimes {
  readonly accessTtlMinutes?: number | undefined;
  readonly refreshTtlMinutes?: number | undefined;
}

export interface SignInRequest extends LoginAttempt, WantedLifetimes {
  /** Parsed JSON, not checked yet. */
  readonly scope?: unknown;
  /** false: no refresh token. */
  readonly refresh?: boolean | undefined;
}

export interface RefreshRequest extends WantedLifetimes {
  /** The refresh token. */
  readonly token: string;
}

export interface TokenPair {
  readonly jwt: string;
  /** Milliseconds from now. */
  readonly expiresInMs: number;
  /** Absent if the request has `refresh: false`. */
  readonly refresh?: { readonly jwt: string; readonly expiresInMs: number };
}

export interface Sessions {
  /** Rejects with SCOPE_INVALID before the credentials are checked, then as `Login` does. */
  signIn(request: SignInRequest): Promise<TokenPair>;
  /** Name of the account that an attempt names; undefined: there is no such account. */
  accountOf(attempt: Pick<LoginAttempt, "username">): string | undefined;
  /**
   * Returns a new pair with the same scope. Throws UNAUTHORIZED unless the token is a valid refresh token, its user exists
   * and the user's secrets are unchanged since the token was issued.
   */
  refresh(request: RefreshRequest): TokenPair;
}

/** Milliseconds. */
export interface Lifetime {
  readonly ttl: number;
  readonly maxTtl: number;
}

interface SessionDependencies {
  readonly login: Login;
  readonly accounts: Accounts;
  readonly access: { readonly tokens: Tokens; readonly lifetime: Lifetime };
  readonly refresh: { readonly tokens: Tokens; readonly lifetime: Lifetime };
}

export const createSessions = ({ login, accounts, access, refresh }: SessionDependencies): Sessions => {
  const wantedTtls = ({ accessTtlMinutes, refreshTtlMinutes }: WantedLifetimes): Ttls => ({
    access: lifetime(accessTtlMinutes, access.lifetime),
    refresh: lifetime(refreshTtlMinutes, refresh.lifetime),
  });

  const accessToken = (subject: TokenSubject, ttls: Ttls): TokenPair => ({
    jwt: access.tokens.issue(subject, ttls.access),
    expiresInMs: ttls.access,
  });

  const pair = (account: Account, subject: TokenSubject, ttls: Ttls): TokenPair => ({
    ...accessToken(subject, ttls),
    refresh: {
      jwt: refresh.tokens.issue(subject, ttls.refresh, account.credential),
      expiresInMs: ttls.refresh,
    },
  });

  return {
    signIn: async (request) => {
      const ttls = wantedTtls(request);
      const scope = parseScope(request.scope);
      const { account, name } = await login(request);
      const subject = { ...name, scope };
      return request.refresh === false ? accessToken(subject, ttls) : pair(account, subject, ttls);
    },

    accountOf: ({ username }) => accounts.find(accountName(username).username)?.username,

    refresh: (request) => {
      const ttls = wantedTtls(request);
      const { username, accountId, scope, isBoundTo } = refresh.tokens.verify(request.token);
      const account = accounts.find(username);
      if (account === undefined) throw unauthorized("unknown account");
      if (!isBoundTo(account.credential)) throw unauthorized("credential changed");
      return pair(account, { username, accountId, scope }, ttls);
    },
  };
};

interface Ttls {
  readonly access: number;
  readonly refresh: number;
}

const MINUTE = 60_000;

/** Memphis clients ask for years. The answer contains the lifetime that the gateway grants. */
const lifetime = (minutes: number | undefined, { ttl, maxTtl }: Lifetime): number =>
  minutes === undefined || minutes <= 0 ? ttl : Math.min(minutes * MINUTE, maxTtl);
