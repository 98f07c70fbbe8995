/**
 * The generated identity of a start without settings: an account `root`, the secrets of access and refresh tokens, and
 * the operators' token. It is stored in the directory of the embedded log.
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
    // Without the cause: the parser's message can quote the secrets.
    throw new GatewayError("SETTINGS_INVALID", {
      message: `${path} is damaged: restore it, or delete it to generate a new account, new secrets and new tokens`,
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

/** Writes the file atomically: after a power failure it is complete or absent. */
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

/** Reads the identity in `dir`; undefined if `dir` has no identity. Throws SETTINGS_INVALID if it is damaged or unreadable. */
export const loadIdentity = (dir: string): Identity | undefined => {
  const path = join(dir, FILE);
  const text = read(path);
  return text === undefined ? undefined : parse(path, text);
};

/** Reads the identity in `dir`, or creates it (file mode 0600, directory mode 0700). Throws SETTINGS_INVALID if it is damaged. */
export const loadOrCreateIdentity = (dir: string): Identity => {
  const kept = loadIdentity(dir);
  if (kept !== undefined) return kept;
  const identity = createIdentity();
  write(dir, identity);
  return identity;
};

const secretOf = (secret: string) => [{ kid: PLAIN_SECRET_KID, secret }];

/**
 * Adds a secret for sessions of operators, if the settings have no secret that seals them. `own` is a secret of the main
 * process, so that all its workers accept the same sessions.
 */
export const withSessionSecret = (settings: Settings, own: string): Settings => {
  const { admin, auth } = settings;
  const hasSecret = admin.sessionSecret !== undefined || auth.accessToken.secrets.length > 0;
  return hasSecret ? settings : { ...settings, admin: { ...admin, sessionSecret: own } };
};

/** Another token may have the name of the generated one. */
const generatedToken = ({ tokens }: Settings["admin"], { adminToken }: Identity): string | undefined =>
  tokens.some(({ name }) => name === "admin") ? undefined : adminToken;

/** Adds the identity's account and secrets to the settings, and its operators' token if `admin.token` is not set. */
export const withIdentity = (settings: Settings, identity: Identity): Settings => {
  const { auth, admin } = settings;
  return {
    ...settings,
    admin: { ...admin, token: admin.token ?? generatedToken(admin, identity) },
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
