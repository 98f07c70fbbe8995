/** Who may call: accounts with their tokens, and API keys. */
import { choice, duration, instant, integer, list, matching, secret, section, size, text } from "../keys.ts";
import { rates } from "./limits-settings.ts";
import { origin } from "./server-settings.ts";

const DAY = 86_400_000;

/** The kid of a token signed with a plain `secret`, so that a later `secrets` list can still name it. */
export const PLAIN_SECRET_KID = "default";

const tokenSecrets = list(
  "Secrets instead of one, for rotation: the first signs, all verify.",
  section({
    kid: matching(
      "Name of the secret in a token's header.",
      /^[\w.-]{1,64}$/,
      "a short name of letters, digits, _ . -",
    ),
    secret: secret("The raw HMAC key."),
  }),
  "a list of {kid, secret}",
);

/** A plain `secret` and a `secrets` list are one list to whoever reads the settings. */
const token = (name: string, ttl: string, maxTtl: string) =>
  section({
    secret: secret(`HMAC key that signs ${name} tokens.`).optional(),
    secrets: tokenSecrets.optional(),
    ttl: duration(`Lifetime of ${name} tokens.`, 3650 * DAY).prefault(ttl),
    maxTtl: duration("Longest lifetime that a client may ask for.", 3650 * DAY).prefault(maxTtl),
  })
    .refine((given) => given.secret === undefined || given.secrets === undefined, {
      path: ["secrets"],
      error: "give secret or secrets, not both",
    })
    .transform(({ secret: plain, secrets = [], ...rest }) => ({
      ...rest,
      secrets: plain === undefined ? secrets : [{ kid: PLAIN_SECRET_KID, secret: plain }],
    }));

const patterns = (help: string) =>
  list(
    help,
    matching("One pattern.", /^[a-z0-9_.*-]{1,128}$/, "a station name in lower case, * for any part of it"),
    'a list of station names, * for any part: ["orders", "clicks-*"]',
  );

const groups = list(
  "Consumer groups that it may use, under exactly these names; default: groups of its own only.",
  matching(
    "One pattern.",
    /^[^\p{Cc}\p{Cs}]{1,249}$/u,
    "the name of a consumer group, * for any part of it; case counts",
  ),
  'a list of consumer groups, * for any part: ["billing", "etl-*"]',
).optional();

const origins = list(
  "Origins whose pages may use it; none: any caller.",
  origin,
  "a list of origins such as https://shop.example",
);

const account = section({
  username: matching("Name that clients sign in with.", /^[^\s$]{1,128}$/, "a name without spaces and $"),
  connectionToken: secret("Connection token, plain or a scrypt hash.").optional(),
  password: secret("Password, plain or a scrypt hash.").optional(),
  stations: patterns("Stations that it may produce to.").prefault([]),
  consume: patterns("Stations that it may read.").prefault([]),
  groups,
  origins: origins.prefault([]),
  limits: rates.prefault({}),
}).refine((given) => given.connectionToken !== undefined || given.password !== undefined, {
  error: "needs a connectionToken or a password",
});

const apiKey = section({
  id: matching(
    "Name of the key; two entries of one name may overlap for rotation.",
    /^[^\s:]{1,128}$/,
    "a name without spaces and :",
  ),
  key: secret("The key, plain or a scrypt hash."),
  kind: choice("A browser key is public: it can't read, and works only from its origins.", [
    "server",
    "browser",
  ]).prefault("server"),
  stations: patterns("Stations that it may produce to.").prefault([]),
  consume: patterns("Stations that it may read; not for a browser key.").prefault([]),
  groups,
  expires: instant("When it stops to work.").optional(),
  origins: origins.prefault([]),
  limits: rates.prefault({}),
})
  .refine((given) => given.kind !== "browser" || given.origins.length > 0, {
    path: ["origins"],
    error: "a browser key needs at least one origin",
  })
  .refine((given) => given.kind !== "browser" || given.consume.length === 0, {
    path: ["consume"],
    error: "a browser key is public and may not read: leave consume out, or make it a key of kind server",
  });

export const auth = section({
  accessToken: token("access", "15m", "24h").prefault({}),
  refreshToken: token("refresh", "5h", "30d").prefault({}),
  issuer: text("The iss claim of tokens.").prefault("stationgate"),
  audience: text("The aud claim of tokens.").prefault("stationgate"),
  bodyLimit: size("Largest body on /auth/*.").prefault("64kb"),
  loginFailuresPerMinute: integer("Failed sign-ins of one user from one address before 429.", 1).prefault(10),
  accounts: list("Who may sign in.", account, "a list of accounts").prefault([]),
  apiKeys: list("Keys that need no sign-in.", apiKey, "a list of API keys").prefault([]),
});
