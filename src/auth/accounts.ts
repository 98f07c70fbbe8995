/** Accounts: who may sign in, and with what rights. */
import { createHash } from "node:crypto";
import { GatewayError } from "../errors.ts";
import {
  compilePatterns,
  compileStationPatterns,
  type NameMatcher,
  originList,
  type StationMatcher,
} from "./permissions.ts";
import type { Limits } from "./principal.ts";
import { storedSecret, type StoredSecret } from "./secrets.ts";

/** An account as configured. */
export interface AccountOptions {
  readonly username: string;
  /** Plain, or a scrypt hash, like `password`. */
  readonly connectionToken?: string | undefined;
  readonly password?: string | undefined;
  /** Patterns of stations it may produce to. */
  readonly stations?: readonly string[] | undefined;
  /** Patterns of stations it may read. */
  readonly consume?: readonly string[] | undefined;
  /** Patterns of the consumer groups that it may use; absent: groups of its own only. */
  readonly groups?: readonly string[] | undefined;
  /** Web pages that may use its tokens; empty: any, and requests without an origin. */
  readonly origins?: readonly string[] | undefined;
  readonly limits?: Limits | undefined;
}

export interface Account {
  readonly username: string;
  readonly connectionToken: StoredSecret | undefined;
  readonly password: StoredSecret | undefined;
  /** SHA-256 over all its secrets; changes when one does. */
  readonly credential: Buffer;
  readonly mayProduce: StationMatcher;
  readonly mayConsume: StationMatcher;
  readonly readsGroup: NameMatcher | undefined;
  readonly origins: readonly string[];
  readonly limits: Limits;
}

export interface Accounts {
  readonly all: readonly Account[];
  find(username: string): Account | undefined;
}

/** Throws SETTINGS_INVALID for two accounts of one name, and for a secret, pattern or origin that is none. */
export const createAccounts = (options: readonly AccountOptions[]): Accounts => {
  const byName = new Map<string, Account>();
  for (const account of options.map(configuredAccount)) {
    if (byName.has(account.username))
      throw new GatewayError("SETTINGS_INVALID", { message: `two accounts are named ${account.username}` });
    byName.set(account.username, account);
  }
  return { all: [...byName.values()], find: (username) => byName.get(username) };
};

/** Whom a login or a token names. The account id is Memphis's: tokens carry it, nothing here depends on it. */
export interface AccountName {
  readonly username: string;
  readonly accountId: number | undefined;
}

/** Memphis clients write `user$7` for user and account 7; a suffix wins over an id given beside it. */
export const accountName = (username: string, accountId?: number): AccountName => {
  const cut = username.lastIndexOf("$");
  const suffix = username.slice(cut + 1);
  if (cut <= 0 || !/^\d{1,15}$/.test(suffix)) return { username, accountId };
  return { username: username.slice(0, cut), accountId: Number(suffix) };
};

const configuredAccount = (options: AccountOptions): Account => {
  const connectionToken = optionalSecret(options.connectionToken);
  const password = optionalSecret(options.password);
  return {
    username: options.username,
    connectionToken,
    password,
    credential: digestOfAll([connectionToken, password]),
    mayProduce: compileStationPatterns(options.stations ?? []),
    mayConsume: compileStationPatterns(options.consume ?? []),
    readsGroup: options.groups && compilePatterns(options.groups),
    origins: originList(options.origins ?? []),
    limits: options.limits ?? {},
  };
};

const optionalSecret = (text: string | undefined): StoredSecret | undefined =>
  text === undefined ? undefined : storedSecret(text);

const digestOfAll = (secrets: readonly (StoredSecret | undefined)[]): Buffer => {
  const sum = createHash("sha256");
  // Fixed width, an absent one too, so that a secret can't move from one place to the other unseen.
  for (const secret of secrets) sum.update(secret?.digest ?? Buffer.alloc(32));
  return sum.digest();
};
