/** Signing in with a connection token or a password. */
import { networkOf } from "../lib/network-of.ts";
import { type Account, accountName, type AccountName, type Accounts } from "./accounts.ts";
import type { CheckSignIn } from "./sign-in-check.ts";
import type { FailureThrottle } from "./throttle.ts";
import { unauthorized } from "./unauthorized.ts";

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
export type Login = (attempt: LoginAttempt) => Promise<SignedIn>;

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
