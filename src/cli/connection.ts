/**
 * The URL of the gateway and the credential for it: from the options, then from the environment, then from the identity
 * in the data directory, which a gateway without settings generates at its first start.
 */
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import {
  clientVariable,
  dataDirectory,
  nameOfClientVariable,
  type ClientSecret,
} from "../config/environment.ts";
import { loadIdentity, type Identity } from "../config/identity.ts";
import { GatewayError } from "../errors.ts";
import { errnoOf } from "../lib/file-system.ts";
import { isLoopback } from "../lib/loopback.ts";
import { CommandFailure, promptSecret, type Shell } from "./shell.ts";
import { type ClientTls, readClientTls } from "./tls.ts";

/**
 * The options of all commands that call a gateway. Secrets come from files, so that a list of processes does not show
 * them.
 */
export interface ConnectionOptions {
  readonly url?: string;
  readonly adminUrl?: string;
  readonly tokenFile?: string;
  readonly username?: string;
  readonly connectionTokenFile?: string;
  readonly passwordFile?: string;
  readonly apiKeyFile?: string;
  readonly adminTokenFile?: string;
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
}

export interface Account {
  readonly kind: "account";
  readonly username: string;
  readonly connectionToken?: string | undefined;
  readonly password?: string | undefined;
}

export type Credential =
  | { readonly kind: "bearer"; readonly token: string }
  | { readonly kind: "apiKey"; readonly key: string }
  /** The certificate in `tls`. The gateway looks at it only if a call has no other credential. */
  | { readonly kind: "certificate" }
  | Account;

/** A listener of the gateway. */
export interface Target {
  readonly url: string;
  readonly tls?: ClientTls;
}

export interface Connection<C extends Credential = Credential> extends Target {
  readonly credential: C;
}

export const DEFAULT_URL = "http://localhost:4444";
export const DEFAULT_ADMIN_URL = "http://localhost:4445";

const readFile = (shell: Shell, path: string): string => {
  try {
    return readFileSync(resolve(shell.cwd, path), "utf8").replace(/[\r\n]+$/, "");
  } catch (error) {
    throw new CommandFailure("usage", `${path} can't be read (${errnoOf(error) ?? "unreadable"})`);
  }
};

/** A secret from an environment variable, or from the file that `…_FILE` names. */
const fromEnvironment = (shell: Shell, secret: ClientSecret): string | undefined => {
  const file = clientVariable(shell.env, `${secret}_FILE`);
  return clientVariable(shell.env, secret) ?? (file === undefined ? undefined : readFile(shell, file));
};

const secretOf = (shell: Shell, file: string | undefined, secret: ClientSecret): string | undefined =>
  file === undefined ? fromEnvironment(shell, secret) : readFile(shell, file);

const checkedUrl = (text: string): string => {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol))
    throw new CommandFailure("usage", `${text} is not an HTTP URL, such as ${DEFAULT_URL}`);
  return `${url.origin}${url.pathname.replace(/\/+$/, "")}`;
};

/** The identity in the data directory. Its secrets are only sent to this machine; undefined for other hosts. */
const identityFor = (shell: Shell, url: string): Identity | undefined => {
  if (!isLoopback(new URL(url).hostname)) return undefined;
  const dir = resolve(shell.cwd, dataDirectory(shell.env));
  try {
    return loadIdentity(dir);
  } catch (error) {
    if (error instanceof GatewayError) throw new CommandFailure("usage", error.message);
    throw error;
  }
};

const account = async (shell: Shell, options: ConnectionOptions): Promise<Account | undefined> => {
  const username = options.username ?? clientVariable(shell.env, "USERNAME");
  if (username === undefined) return undefined;
  const connectionToken = secretOf(shell, options.connectionTokenFile, "CONNECTION_TOKEN");
  const password = secretOf(shell, options.passwordFile, "PASSWORD");
  if (connectionToken !== undefined || password !== undefined)
    return { kind: "account", username, connectionToken, password };
  if (shell.stdin.isTTY !== true)
    throw new CommandFailure(
      "forbidden",
      `no secret for ${username}: give ${nameOfClientVariable("CONNECTION_TOKEN")} or --connection-token-file`,
    );
  const secret = await promptSecret(shell, `Connection token or password of ${username}`);
  // The gateway accepts the sign-in if one of the two is right.
  return { kind: "account", username, connectionToken: secret, password: secret };
};

const identityAccount = (identity: Identity | undefined): Account | undefined =>
  identity && {
    kind: "account",
    username: identity.username,
    connectionToken: identity.connectionToken,
  };

const bearer = (token: string | undefined): Credential | undefined =>
  token === undefined ? undefined : { kind: "bearer", token };

const apiKey = (key: string | undefined): Credential | undefined =>
  key === undefined ? undefined : { kind: "apiKey", key };

/** The URL with the TLS of the options or the environment. */
const targetOf = (shell: Shell, options: ConnectionOptions, url: string): Target => {
  const files = {
    ca: options.ca ?? clientVariable(shell.env, "CA"),
    cert: options.cert ?? clientVariable(shell.env, "CERT"),
    key: options.key ?? clientVariable(shell.env, "KEY"),
  };
  const tls = readClientTls(files, (path) => readFile(shell, path));
  return { url: checkedUrl(url), ...(tls !== undefined && { tls }) };
};

/**
 * A certificate is sent only over TLS. For an `http:` URL, the certificate of the environment does not count, and the option `cert`
 * without another credential is an error.
 */
const certificate = ({ url, tls }: Target, { cert }: ConnectionOptions): Credential | undefined => {
  if (tls?.cert === undefined) return undefined;
  if (url.startsWith("https:")) return { kind: "certificate" };
  if (cert === undefined) return undefined;
  throw new CommandFailure("usage", `--cert needs an https URL (got ${url})`);
};

export const publicTarget = (shell: Shell, options: ConnectionOptions): Target =>
  targetOf(shell, options, options.url ?? clientVariable(shell.env, "URL") ?? DEFAULT_URL);

const NO_CREDENTIAL =
  "no credential: give STATIONGATE_TOKEN, STATIONGATE_API_KEY, STATIONGATE_USERNAME with " +
  "STATIONGATE_CONNECTION_TOKEN or STATIONGATE_PASSWORD, or their files, or a certificate by --cert (see --help)";

/**
 * The public listener with a credential. Options come before the environment, the environment before a client
 * certificate, and the certificate before the identity.
 */
export const publicConnection = async (shell: Shell, options: ConnectionOptions): Promise<Connection> => {
  const target = publicTarget(shell, options);
  const named = (file: string | undefined): string | undefined =>
    file === undefined ? undefined : readFile(shell, file);
  const credential =
    bearer(named(options.tokenFile)) ??
    apiKey(named(options.apiKeyFile)) ??
    (options.username === undefined ? undefined : await account(shell, options)) ??
    bearer(fromEnvironment(shell, "TOKEN")) ??
    apiKey(fromEnvironment(shell, "API_KEY")) ??
    (await account(shell, options)) ??
    certificate(target, options) ??
    identityAccount(identityFor(shell, target.url));
  if (credential === undefined) throw new CommandFailure("forbidden", NO_CREDENTIAL);
  return { ...target, credential };
};

/** The public listener with an account, for sign-in. */
export const accountConnection = async (
  shell: Shell,
  options: ConnectionOptions,
): Promise<Connection<Account>> => {
  const target = publicTarget(shell, options);
  const credential = (await account(shell, options)) ?? identityAccount(identityFor(shell, target.url));
  if (credential === undefined)
    throw new CommandFailure(
      "forbidden",
      "no account: give --username, or STATIONGATE_USERNAME (see --help)",
    );
  return { ...target, credential };
};

/** The public listener with a refresh token. */
export const refreshConnection = (
  shell: Shell,
  options: ConnectionOptions & { readonly refreshTokenFile?: string },
): Target & { readonly refreshToken: string } => {
  const refreshToken = secretOf(shell, options.refreshTokenFile, "REFRESH_TOKEN");
  if (refreshToken === undefined)
    throw new CommandFailure(
      "forbidden",
      "no refresh token: give STATIONGATE_REFRESH_TOKEN or --refresh-token-file",
    );
  return { ...publicTarget(shell, options), refreshToken };
};

/** The operators' listener with an operators' token or a client certificate. */
export const adminConnection = (shell: Shell, options: ConnectionOptions): Connection => {
  const given = options.adminUrl ?? clientVariable(shell.env, "ADMIN_URL") ?? DEFAULT_ADMIN_URL;
  const target = targetOf(shell, options, given);
  const credential =
    bearer(secretOf(shell, options.adminTokenFile, "ADMIN_TOKEN")) ??
    certificate(target, options) ??
    bearer(identityFor(shell, target.url)?.adminToken);
  if (credential === undefined)
    throw new CommandFailure(
      "forbidden",
      "no admin token: give STATIONGATE_ADMIN_TOKEN or --admin-token-file, or a certificate by --cert",
    );
  return { ...target, credential };
};
