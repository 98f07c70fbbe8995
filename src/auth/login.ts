/** Signing in with a connection token or a password. */
import { type Account, accountName, type AccountName, type Accounts } from "./accounts.ts";
import { decoySecret, type StoredSecret, type VerifySecret } from "./secrets.ts";
import type { FailureThrottle } from "./throttle.ts";
import { unauthorized } from "./unauthorized.ts";

export interface LoginAttempt {
  /** As sent: `user` or `user$7`. */
  readonly username: string;
  readonly accountId?: number | undefined;
  readonly connectionToken?: string | undefined;
  readonly password?: string | undefined;
  /** Network address of the client; failures are counted for each user and address. */
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
  readonly verify: VerifySecret;
  readonly throttle: FailureThrottle;
}

export const createLogin = ({ accounts, verify, throttle }: LoginDependencies): Login => {
  const matches = createComparison(accounts, verify);
  return async ({ username, accountId, connectionToken, password, address }) => {
    const name = accountName(username, accountId);
    const guesser = JSON.stringify([name.username, address]);
    throttle.check(guesser);
    const account = accounts.find(name.username);
    const right =
      (await matches(account?.connectionToken, connectionToken)) ||
      (await matches(account?.password, password));
    // Once more: of many attempts at once, those that end after the last allowed failure learn nothing.
    throttle.check(guesser);
    if (account !== undefined && right) return { account, name };
    throttle.failed(guesser);
    throw unauthorized("wrong login");
  };
};

type Comparison = (stored: StoredSecret | undefined, given: string | undefined) => Promise<boolean>;

/**
 * A wrong secret costs one comparison with a plain secret and, where any account has a hashed one, one derivation,
 * whatever the account has and whether it exists: what is missing is made up by decoys.
 */
const createComparison = (accounts: Accounts, verify: VerifySecret): Comparison => {
  const plainDecoy = decoySecret();
  const hashed = accounts.all
    .flatMap(({ connectionToken, password }) => [connectionToken, password])
    .find((secret) => secret?.scrypt !== undefined);
  const hashedDecoy = hashed && decoySecret(hashed);

  return async (stored, given) => {
    if (given === undefined) return false;
    const isHashed = stored?.scrypt !== undefined;
    if (await verify(isHashed ? plainDecoy : (stored ?? plainDecoy), given)) return true;
    return hashedDecoy !== undefined && verify(isHashed ? stored : hashedDecoy, given);
  };
};
