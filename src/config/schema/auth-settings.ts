/** Settings of authentication: tokens, accounts, API keys, other issuers and client certificates. */
import { choice, duration, instant, integer, list, matching, secret, section, size, text } from "../keys.ts";
import { certificateNames, hasOneName, ONE_NAME } from "./certificate-settings.ts";
import { issuer } from "./issuer-settings.ts";
import { groups, origins, stationPatterns } from "./rights-settings.ts";
import { origin, rates } from "./server-settings.ts";

const DAY = 86_400_000;

/** The kid of a token signed with a plain `secret`, so that a later `secrets` list can still name it. */
export const PLAIN_SECRET_KID = "default";

const tokenSecrets = list(
  "List of HMAC keys, for rotation. The first key signs new tokens; every key verifies tokens. Use either secret or secrets.",
  section({
    kid: matching(
      "Key id: the kid header of the tokens that this key signs.",
      /^[\w.-]{1,64}$/,
      "1 to 64 letters, digits, _ . -",
    ),
    secret: secret("The HMAC key."),
  }),
  "a list of {kid, secret}",
);

/** The parsed settings always have a `secrets` list; a plain `secret` becomes its only entry. */
const token = (name: string, ttl: string, maxTtl: string) =>
  section({
    secret: secret(`HMAC key that signs and verifies ${name} tokens.`).optional(),
    secrets: tokenSecrets.optional(),
    ttl: duration(`Default lifetime of ${name} tokens.`, 3650 * DAY).prefault(ttl),
    maxTtl: duration(`Maximum lifetime that a client can request for ${name} tokens.`, 3650 * DAY).prefault(
      maxTtl,
    ),
  })
    .refine((given) => given.secret === undefined || given.secrets === undefined, {
      path: ["secrets"],
      error: "secret and secrets are both set: set only one of them",
    })
    .transform(({ secret: plain, secrets = [], ...rest }) => ({
      ...rest,
      secrets: plain === undefined ? secrets : [{ kid: PLAIN_SECRET_KID, secret: plain }],
    }));

const account = section({
  username: matching(
    "User name for sign-in.",
    /^[^\s$]{1,128}$/,
    "a name of at most 128 characters without spaces and $",
  ),
  connectionToken: secret("Connection token in plain text or as a scrypt hash.").optional(),
  password: secret("Password in plain text or as a scrypt hash.").optional(),
  stations: stationPatterns("Stations that the account or key may produce to.").prefault([]),
  consume: stationPatterns("Stations that the account may read.").prefault([]),
  groups,
  origins: origins.prefault([]),
  limits: rates.prefault({}),
}).refine((given) => given.connectionToken !== undefined || given.password !== undefined, {
  error: "has no credential: set connectionToken or password",
});

const apiKey = section({
  id: matching(
    "Id of the key. Two entries can have the same id, so that a key can be rotated.",
    /^[^\s:]{1,128}$/,
    "a name of at most 128 characters without spaces and :",
  ),
  key: secret("The key in plain text or as a scrypt hash."),
  kind: choice("Kind of key. A browser key is public: it can only produce, and only from its origins.", [
    "server",
    "browser",
  ]).prefault("server"),
  stations: stationPatterns("Stations that the account or key may produce to.").prefault([]),
  consume: stationPatterns("Stations that the key may read. Not allowed for browser keys.").prefault([]),
  groups,
  expires: instant("Time after which the key is invalid.").optional(),
  origins: origins.prefault([]),
  limits: rates.prefault({}),
})
  .refine((given) => given.kind !== "browser" || given.origins.length > 0, {
    path: ["origins"],
    error: "is empty: a browser key needs at least one origin",
  })
  .refine((given) => given.kind !== "browser" || given.consume.length === 0, {
    path: ["consume"],
    error: "a browser key is public and can't read: remove consume, or set kind to server",
  });

const certificate = section({
  ...certificateNames,
  stations: stationPatterns("Stations that the certificate may produce to.").prefault([]),
  consume: stationPatterns("Stations that the certificate may read.").prefault([]),
  groups,
  origins: list(
    "Web origins that may use the certificate: a request with Origin needs its origin in this list. Browsers send a certificate without being asked.",
    origin,
    "a list of origins such as https://shop.example",
  ).prefault([]),
  limits: rates.prefault({}),
}).refine(hasOneName, ONE_NAME);

export const auth = section({
  accessToken: token("access", "15m", "24h").prefault({}),
  refreshToken: token("refresh", "5h", "30d").prefault({}),
  issuer: text("The iss claim of issued tokens. A token with another iss is refused.").prefault(
    "stationgate",
  ),
  audience: text("The aud claim of issued tokens. A token with another aud is refused.").prefault(
    "stationgate",
  ),
  bodyLimit: size("Maximum size of a request body on /auth/*.").prefault("64kb"),
  loginFailuresPerMinute: integer(
    "Maximum number of failed sign-ins per minute for each user name and client address. Further attempts get 429.",
    1,
  ).prefault(10),
  accounts: list("Accounts that can sign in.", account, "a list of accounts").prefault([]),
  apiKeys: list(
    "API keys. A client sends its key with each request and does not sign in.",
    apiKey,
    "a list of API keys",
  ).prefault([]),
  issuers: list(
    "Identity providers whose signed tokens (JWT) clients can use as bearer tokens.",
    issuer,
    "a list of issuers",
  ).prefault([]),
  certificates: list(
    "Client certificates (server.tls.clientAuth) as credentials. The first entry that matches counts.",
    certificate,
    "a list of certificates, each with a name and one of cn, uri, dns, email",
  ).prefault([]),
});
