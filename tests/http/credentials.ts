/** The accounts, keys and operators' tokens of the test gateway. */
import type { AuthenticationOptions } from "../../src/auth/authentication.ts";
import type { OfferedProvider } from "../../src/http/handlers/sign-in/routes.ts";

export const ADMIN_TOKEN = "operators-only-0123456789";
export const VIEWER_TOKEN = "viewers-only-0123456789";
export const OPERATOR_TOKEN = "middle-only-0123456789";

const ACCOUNTS = [
  {
    username: "root",
    connectionToken: "root-token",
    password: "root-password",
    stations: ["*"],
    consume: ["*"],
    groups: ["g", "etl-*"],
  },
  { username: "reader", password: "reader-password", consume: ["plain"] },
  { username: "app", password: "app-password", stations: ["plain"], consume: [] },
  { username: "page", password: "page-password", stations: ["*"], origins: ["https://shop.example"] },
];

export const BROWSER_KEY = {
  id: "web",
  key: "browser-key-0123456789",
  kind: "browser",
  stations: ["plain"],
  origins: ["https://shop.example"],
} as const;

export const PARTNER_KEY = "partner-key-0123456789";

const key = { kind: "server", stations: ["*"] } as const;

const API_KEYS = [
  { ...key, id: "partner", key: PARTNER_KEY, stations: ["plain", "orders", "missing-topic", "nope"] },
  { ...key, id: "partner", key: "partner-key-of-tomorrow" },
  { ...key, id: "late", key: "late-key-0123456789", expires: 0 },
  { ...key, id: "slow", key: "slow-key-0123456789", limits: { eventsPerSecond: 2, burst: 1000 } },
  { ...key, id: "sink", key: "sink-key-0123456789", consume: ["plain"] },
  { ...key, id: "groups", key: "groups-key-0123456789", consume: ["plain"], groups: ["g"] },
  { ...key, id: "brief", key: "brief-key-0123456789", consume: ["plain"], expires: 4_000_000_000_000 },
] as const;

const SECRET = { ttl: 900_000, maxTtl: 86_400_000 };

const CREDENTIALS: AuthenticationOptions = {
  accounts: ACCOUNTS,
  apiKeys: [BROWSER_KEY, ...API_KEYS],
  accessToken: { ...SECRET, secrets: [{ kid: "a", secret: "access-secret-0123456789-0123456789" }] },
  refreshToken: {
    ttl: 18_000_000,
    maxTtl: 30 * 86_400_000,
    secrets: [{ kid: "r", secret: "refresh-secret-0123456789-0123456789" }],
  },
  issuer: "stationgate",
  audience: "stationgate",
  loginFailuresPerMinute: 10,
  admin: {
    token: ADMIN_TOKEN,
    tokens: [
      { name: "look", token: VIEWER_TOKEN, role: "viewer" },
      { name: "ops", token: OPERATOR_TOKEN, role: "operator" },
    ],
    failuresPerMinute: 10,
    sessionTtl: 8 * 3_600_000,
  },
};

/** With the settings of an identity provider, if there is one. */
export const credentialsWith = (provider: OfferedProvider | undefined): AuthenticationOptions => {
  if (provider === undefined) return CREDENTIALS;
  const { issuer } = provider.signIn;
  const roles = { viewer: [], operator: [], admin: [] };
  const oidc = { issuer, clientId: "stationgate", rolesClaim: "groups", roles };
  return { ...CREDENTIALS, admin: { ...CREDENTIALS.admin, oidc } };
};
