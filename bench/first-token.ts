/**
 * CPU time of the first use of an issuer's token, beside the machine's bare `crypto.verify` in the same run:
 *
 *     npx esbuild bench/first-token.ts --bundle --packages=external --platform=node --format=esm --outfile=node_modules/.cache/stationgate-bench/first-token.js
 *     node node_modules/.cache/stationgate-bench/first-token.js
 *
 * The rounds of both alternate, so that the load of the machine changes both. The figures are medians of user and system CPU time.
 */
import { createPublicKey, generateKeyPairSync, type KeyObject, sign, verify } from "node:crypto";
import { createAccounts } from "../src/auth/accounts.ts";
import { createBearerVerifier } from "../src/auth/authenticator.ts";
import { createIssuers } from "../src/auth/issuers/issuers.ts";
import { createKeyUnits } from "../src/auth/issuers/key-units.ts";
import { createTokens } from "../src/auth/tokens.ts";
import { systemClock } from "../src/lib/clock.ts";
import { createMetrics } from "../src/observability/metrics.ts";

const ROUNDS = 40;
const TOKENS = 500;
const ISSUER = "https://id.example/realms/shop";
/** Microseconds: the most that the checks may add to the bare verification. */
const MOST = 35;

const keys: Readonly<Record<string, { readonly publicKey: KeyObject; readonly privateKey: KeyObject }>> = {
  RS256: generateKeyPairSync("rsa", { modulusLength: 2048 }),
  ES256: generateKeyPairSync("ec", { namedCurve: "P-256" }),
};

const encoded = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString("base64url");

interface Token {
  readonly text: string;
  readonly data: Buffer;
  readonly signature: Buffer;
}

/** About 900 characters, with the claims of a usual access token. */
const tokenOf = (alg: string, key: KeyObject, number: number): Token => {
  const seconds = Math.floor(Date.now() / 1000);
  const claims = {
    ...{ iss: ISSUER, aud: ["stationgate", "account"], sub: `f81d4fae-7dec-11d0-a765-${number}` },
    ...{
      iat: seconds,
      nbf: seconds,
      exp: seconds + 3600,
      jti: `onrtac:${number}`,
      typ: "Bearer",
      azp: "till",
    },
    ...{ scope: "openid profile email", preferred_username: "till", groups: ["shop", "web", "staff"] },
    realm_access: { roles: ["offline_access", "default-roles-shop", "uma_authorization"] },
  };
  const text = `${encoded({ alg, typ: "at+jwt", kid: alg })}.${encoded(claims)}`;
  const data = Buffer.from(text);
  const signature = sign("sha256", data, { key, dsaEncoding: "ieee-p1363" });
  return { text: `${text}.${signature.toString("base64url")}`, data, signature };
};

const microseconds = (task: () => void): number => {
  const before = process.cpuUsage();
  task();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / TOKENS;
};

const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[values.length >> 1] ?? 0;

const jwks = Object.entries(keys).map(([kid, { publicKey }]) => ({
  ...publicKey.export({ format: "jwk" }),
  kid,
}));

const openVerifier = () => {
  const units = createKeyUnits({
    clock: systemClock,
    metrics: createMetrics(),
    logger: { info: () => undefined, warn: () => undefined },
    client: () => () => Promise.resolve({ value: { keys: jwks }, cacheControl: "" }),
  });
  const entry = {
    ...{ name: "corp", issuer: ISSUER, jwksUri: `${ISSUER}/jwks`, audience: ["stationgate"] },
    ...{ algorithms: ["RS256", "ES256"], types: ["at+jwt", "JWT"], subject: "sub", clockSkew: 30_000 },
    ...{ maxTokenSize: 12_288, refresh: 600_000, maxStale: 86_400_000, fetchTimeout: 5000 },
    ...{ stations: ["*"], consume: ["*"], origins: [], limits: {} },
    mapping: [{ claim: "groups", value: "shop", stations: ["orders"], consume: ["orders"] }],
  };
  const verifier = createBearerVerifier({
    tokens: createTokens({
      use: "access",
      keys: [{ kid: "a", secret: "a" }],
      issuer: "gate",
      audience: "gate",
    }),
    accounts: createAccounts([]),
    issuers: { ...createIssuers({ entries: [entry], units, now: Date.now }), ownIssuer: "gate" },
  });
  return {
    verifier,
    close: () => {
      units.close();
    },
  };
};

const { verifier, close } = openVerifier();
await new Promise((resolve) => setTimeout(resolve, 100));
let number = 0;
for (const [alg, { publicKey, privateKey }] of Object.entries(keys)) {
  const key = createPublicKey({ key: { ...publicKey.export({ format: "jwk" }) }, format: "jwk" });
  const bare: number[] = [];
  const whole: number[] = [];
  const known: number[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    const tokens = Array.from({ length: TOKENS }, () => tokenOf(alg, privateKey, (number += 1)));
    bare.push(
      microseconds(() => {
        for (const { data, signature } of tokens)
          verify("sha256", data, { key, dsaEncoding: "ieee-p1363" }, signature);
      }),
    );
    const use = (): void => {
      for (const { text } of tokens) void verifier.verify(text);
    };
    whole.push(microseconds(use));
    known.push(microseconds(use));
  }
  const added = median(whole) - median(bare);
  const figures = {
    alg,
    bare: median(bare),
    firstUse: median(whole),
    added,
    most: MOST,
    known: median(known),
  };
  const round = (_: string, value: unknown) =>
    typeof value === "number" ? Math.round(value * 10) / 10 : value;
  process.stdout.write(`${JSON.stringify(figures, round)}\n`);
  if (added > MOST) process.exitCode = 1;
}
close();
