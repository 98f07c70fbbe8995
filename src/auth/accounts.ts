/** Accounts: their credentials and their rights. */
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
  /** Plain text or a scrypt hash. */
  readonly connectionToken?: string | undefined;
  /** Plain text or a scrypt hash. */
  readonly password?: string | undefined;
  /** Patterns of the stations that it may produce to. */
  readonly stations?: readonly string[] | undefined;
  /** Patterns of the stations that it may read. */
  readonly consume?: readonly string[] | undefined;
  /** Patterns of the consumer groups that it may use. Absent: only groups under its own name. */
  readonly groups?: readonly string[] | undefined;
  /** Origins of the web pages that may use its tokens. Empty: all origins, and requests without an origin. */
  readonly origins?: readonly string[] | undefined;
  readonly limits?: Limits | undefined;
}

export interface Account {
  readonly username: string;
  readonly connectionToken: StoredSecret | undefined;
  readonly password: StoredSecret | undefined;
  /** SHA-256 of all its secrets. It changes if one of them changes. */
  readonly credential: Buffer;
  readonly mayProduce: StationMatcher;
  readonly mayConsume: StationMatcher;
  /** The patterns of `mayConsume`. */
  readonly consume: readonly string[];
  readonly readsGroup: NameMatcher | undefined;
  readonly origins: readonly string[];
  readonly limits: Limits;
}

export interface Accounts {
  readonly all: readonly Account[];
  find(username: string): Account | undefined;
}

/** Throws SETTINGS_INVALID for two accounts with the same name, and for an invalid secret, pattern or origin. */
export const createAccounts = (options: readonly AccountOptions[]): Accounts => {
  const byName = new Map<string, Account>();
  for (const account of options.map(configuredAccount)) {
    if (byName.has(account.username))
      throw new GatewayError("SETTINGS_INVALID", {
        message: `two accounts have the name ${account.username}; each name must be unique`,
      });
    byName.set(account.username, account);
  }
  return { all: [...byName.values()], find: (username) => byName.get(username) };
};

/** The name of an account in a login or a token. The account id of Memphis clients is only copied into their tokens. */
export interface AccountName {
  readonly username: string;
  readonly accountId: number | undefined;
}

/** Memphis clients write `user$7` for user `user` and account 7. The suffix takes precedence over `accountId`. */
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
    consume: options.consume ?? [],
    readsGroup: options.groups && compilePatterns(options.groups),
    origins: originList(options.origins ?? []),
    limits: options.limits ?? {},
  };
};

const optionalSecret = (text: string | undefined): StoredSecret | undefined =>
  text === undefined ? undefined : storedSecret(text);

const digestOfAll = (secrets: readonly (StoredSecret | undefined)[]): Buffer => {
  const sum = createHash("sha256");
  // An absent secret takes 32 bytes too, so that moving a secret from one field to the other changes the digest.
  for (const secret of secrets) sum.update(secret?.digest ?? Buffer.alloc(32));
  return sum.digest();
};
