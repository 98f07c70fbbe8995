/** Signing in and refreshing: credentials in, a pair of tokens out. */
import { networkOf } from "../lib/network-of.ts";
import { type Account, accountName, type AccountName, type Accounts } from "./accounts.ts";
import { unauthorized } from "./principal.ts";
import { parseScope } from "./scope.ts";
import type { CheckSignIn } from "./sign-in-check.ts";
import type { FailureThrottle } from "./throttle.ts";
import type { Tokens, TokenSubject } from "./tokens.ts";

/** Signing in with a connection token or a password. */

export interface LoginAttempt {
  /** As sent: `user` or `user$7`. */
  readonly username: string;
  readonly accountId?: number | undefined;
  readonly connectionToken?: string | undefined;
  readonly password?: string | undefined;
  /** Network address of the client; failures are counted for each user and network. */
  readonly address: string;
}

interface SignedIn {
  readonly account: Account;
  readonly name: AccountName;
}

/**
 * Resolves when one of the given credentials is the account's. Rejects with UNAUTHORIZED, in the same words and the
 * same time whether the user exists or not, with LOGIN_THROTTLED after too many failures, and with OVERLOADED.
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
      // A guess that was not answered in time still counts: the account's own turn may have compared it.
      throttle.failed(guesser);
      throw error;
    });
    // Of many attempts at the same time, those that end after the last allowed failure learn nothing.
    throttle.check(guesser);
    if (account !== undefined && right) return { account, name };
    throttle.failed(guesser);
    throw unauthorized("wrong login");
  };

/** How long a client wants its tokens to be valid, in minutes; absent, zero or less: the default; above the maximum: the maximum. */
interface WantedLifetimes {
  readonly accessTtlMinutes?: number | undefined;
  readonly refreshTtlMinutes?: number | undefined;
}

export interface SignInRequest extends LoginAttempt, WantedLifetimes {
  /** As parsed from JSON; it is checked here. */
  readonly scope?: unknown;
  /** false: the client wants no refresh token. */
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
  /** Absent when the client wanted none. */
  readonly refresh?: { readonly jwt: string; readonly expiresInMs: number };
}

export interface Sessions {
  /** Rejects as `Login` does, and before that with SCOPE_INVALID. */
  signIn(request: SignInRequest): Promise<TokenPair>;
  /**
   * A new pair of the same scope. Throws UNAUTHORIZED for all but a refresh token that holds now, whose user exists
   * and has the credential of that time.
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

/** Clients of the original ask for years; the answer tells them the lifetime that they got. */
const lifetime = (minutes: number | undefined, { ttl, maxTtl }: Lifetime): number =>
  minutes === undefined || minutes <= 0 ? ttl : Math.min(minutes * MINUTE, maxTtl);
