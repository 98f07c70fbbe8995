/**
 * What a first start without settings makes for itself, so that nobody has to invent secrets to try the gateway: an
 * account `root`, the secrets of both kinds of token and the operators' token, kept beside the embedded log.
 */
import { randomBytes } from "node:crypto";
import { closeSync, fsyncSync, openSync, readFileSync, renameSync, writeSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { GatewayError } from "../errors.ts";
import { errnoOf, makeDirectory } from "../lib/file-system.ts";
import { PLAIN_SECRET_KID } from "./schema/auth-settings.ts";
import { settingsSchema, type Settings } from "./schema/schema.ts";

const identitySchema = z.strictObject({
  username: z.literal("root"),
  connectionToken: z.string().min(32),
  accessTokenSecret: z.string().min(32),
  refreshTokenSecret: z.string().min(32),
  adminToken: z.string().min(32),
});

export type Identity = z.output<typeof identitySchema>;

const FILE = "identity.json";

const random = (): string => randomBytes(32).toString("base64url");

const createIdentity = (): Identity => ({
  username: "root",
  connectionToken: random(),
  accessTokenSecret: random(),
  refreshTokenSecret: random(),
  adminToken: random(),
});

const reasonOf = (error: unknown): string => errnoOf(error) ?? "unknown reason";

const read = (path: string): string | undefined => {
  try {
    return readFileSync(path, "utf8");
  } catch (cause) {
    if (errnoOf(cause) === "ENOENT") return undefined;
    throw new GatewayError("SETTINGS_INVALID", {
      message: `${path} cannot be read (${reasonOf(cause)})`,
      cause,
    });
  }
};

const parse = (path: string, text: string): Identity => {
  try {
    return identitySchema.parse(JSON.parse(text));
  } catch {
    // Without the cause: a parser's words may quote the secrets.
    throw new GatewayError("SETTINGS_INVALID", {
      message: `${path} is damaged: restore it, or remove it to get a new account, new secrets and new tokens`,
    });
  }
};

const syncedTo = (path: string, flags: "r" | "w", text?: string): void => {
  const file = openSync(path, flags, 0o600);
  try {
    if (text !== undefined) writeSync(file, text);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
};

/** The file is there whole or not at all, whenever the power fails. */
const write = (dir: string, identity: Identity): void => {
  const path = join(dir, FILE);
  const draft = `${path}.${process.pid}.tmp`;
  try {
    makeDirectory(dir, 0o700);
    syncedTo(draft, "w", `${JSON.stringify(identity, null, 2)}\n`);
    renameSync(draft, path);
    syncedTo(dir, "r");
  } catch (cause) {
    throw new GatewayError("SETTINGS_INVALID", {
      message: `${path} cannot be written (${reasonOf(cause)})`,
      cause,
    });
  }
};

/** The identity kept in `dir`; undefined: there is none. Throws SETTINGS_INVALID when it is damaged or unreadable. */
export const loadIdentity = (dir: string): Identity | undefined => {
  const path = join(dir, FILE);
  const text = read(path);
  return text === undefined ? undefined : parse(path, text);
};

/** The identity kept in `dir`, made at the first call (0600, in a folder 0700). Throws SETTINGS_INVALID when it is damaged. */
export const loadOrCreateIdentity = (dir: string): Identity => {
  const kept = loadIdentity(dir);
  if (kept !== undefined) return kept;
  const identity = createIdentity();
  write(dir, identity);
  return identity;
};

const secretOf = (secret: string) => [{ kid: PLAIN_SECRET_KID, secret }];

/** The settings with the identity's account, secrets and, unless one is configured, operators' token. */
export const withIdentity = (settings: Settings, identity: Identity): Settings => {
  const { auth, admin } = settings;
  return {
    ...settings,
    admin: { ...admin, token: admin.token ?? identity.adminToken },
    auth: {
      ...auth,
      accessToken: { ...auth.accessToken, secrets: secretOf(identity.accessTokenSecret) },
      refreshToken: { ...auth.refreshToken, secrets: secretOf(identity.refreshTokenSecret) },
      accounts: settingsSchema.shape.auth.parse({
        accounts: [
          {
            username: identity.username,
            connectionToken: identity.connectionToken,
            stations: ["*"],
            consume: ["*"],
            groups: ["*"],
          },
        ],
      }).accounts,
    },
  };
};
