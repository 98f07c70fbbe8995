/** Helpers for the tests of this folder: keys and tokens of an issuer, and an issuer whose answers the test decides. */
import { constants, createHmac, generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import type { FetchDocuments, IssuerDocuments } from "../../../src/auth/issuers/issuer-documents.ts";
import { createIssuerKeys, type KeptKeys } from "../../../src/auth/issuers/issuer-keys.ts";
import { createTokenCheck, type TokenCheckOptions } from "../../../src/auth/issuers/token-check.ts";
import { createFakeClock, type FakeClock } from "../../support/fake-clock.ts";

export type Json = Record<string, unknown>;

export const ISSUER = "https://id.example/realm";
const AUDIENCE = "stationgate";
export const START = 1_700_000_000_000;

export interface TestKey {
  readonly alg: string;
  readonly kid: string | undefined;
  readonly jwk: Json;
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
}

const CURVES: Readonly<Record<string, string>> = { ES256: "P-256", ES384: "P-384", ES512: "P-521" };

const pairOf = (alg: string, bits: number) => {
  const namedCurve = CURVES[alg];
  if (namedCurve !== undefined) return generateKeyPairSync("ec", { namedCurve });
  if (alg === "EdDSA") return generateKeyPairSync("ed25519");
  return alg === "Ed448" ? generateKeyPairSync("ed448") : generateKeyPairSync("rsa", { modulusLength: bits });
};

/** `members` are added to the public key; `kid: undefined` leaves it out. */
export const createKey = (alg: string, members: Json = {}, bits = 2048): TestKey => {
  const pair = pairOf(alg, bits);
  const given = { kid: "one", ...members };
  const jwk = JSON.parse(JSON.stringify({ ...pair.publicKey.export({ format: "jwk" }), ...given })) as Json;
  return { alg: alg === "Ed448" ? "EdDSA" : alg, kid: jwk["kid"] as string | undefined, jwk, ...pair };
};

export const b64 = (value: Buffer | string): string => Buffer.from(value).toString("base64url");

/** `header` and `payload` as they are, so that a test can write any bytes. */
export const compact = (header: Buffer | string, payload: Buffer | string, signature: Buffer): string =>
  `${b64(header)}.${b64(payload)}.${b64(signature)}`;

export const signatureOf = (alg: string, key: KeyObject, data: string): Buffer => {
  const bytes = Buffer.from(data);
  const hash = `sha${alg.slice(2)}`;
  if (alg === "EdDSA") return sign(null, bytes, key);
  if (alg.startsWith("ES")) return sign(hash, bytes, { key, dsaEncoding: "ieee-p1363" });
  if (alg.startsWith("PS"))
    return sign(hash, bytes, {
      key,
      padding: constants.RSA_PKCS1_PSS_PADDING,
      saltLength: constants.RSA_PSS_SALTLEN_DIGEST,
    });
  return sign(hash, bytes, key);
};

/** Signs texts that need not be JSON. */
export const signedTexts = (key: TestKey, header: string, payload: string, alg = key.alg): string => {
  const data = `${b64(header)}.${b64(payload)}`;
  return `${data}.${b64(signatureOf(alg, key.privateKey, data))}`;
};

export const claimsOf = (claims: Json = {}): Json => ({
  iss: ISSUER,
  aud: AUDIENCE,
  sub: "ann",
  exp: START / 1000 + 300,
  ...claims,
});

/** A token of `key`. A member that is undefined is left out. */
export const tokenOf = (key: TestKey, claims: Json = {}, header: Json = {}): string =>
  signedTexts(
    key,
    JSON.stringify({ alg: key.alg, typ: "at+jwt", kid: key.kid, ...header }),
    JSON.stringify(claimsOf(claims)),
  );

/** A token that uses the public key of an issuer as the secret of an HMAC. */
export const hmacToken = (key: TestKey, secret: Buffer | string): string => {
  const data = `${b64(JSON.stringify({ alg: "HS256", kid: key.kid }))}.${b64(JSON.stringify(claimsOf()))}`;
  return `${data}.${createHmac("sha256", secret).update(data).digest("base64url")}`;
};

/** Lets all promises that are due go on. */
export const settle = async (): Promise<void> => {
  for (let turn = 0; turn < 5; turn += 1) await new Promise(setImmediate);
};

/** Advances the clock in steps that leave time for a fetch to end before its timeout. */
export const pass = async (clock: FakeClock, ms: number): Promise<void> => {
  for (let left = ms; left > 0; left -= 3000) {
    clock.advance(Math.min(left, 3000));
    await settle();
  }
};

type State = "up" | "failing" | "hanging";

export interface FakeIssuer {
  keys: readonly Json[];
  state: State;
  maxAge: number | undefined;
  discovery: Json | undefined;
  readonly fetches: number;
  fetch: FetchDocuments;
}

/** Answers in the same turn, or fails, or never answers. */
export const createFakeIssuer = (...keys: readonly TestKey[]): FakeIssuer => {
  let fetches = 0;
  const self: FakeIssuer = {
    keys: keys.map(({ jwk }) => jwk),
    state: "up",
    maxAge: undefined,
    discovery: undefined,
    get fetches() {
      return fetches;
    },
    fetch: () => {
      fetches += 1;
      if (self.state === "failing") return Promise.reject(new Error("refused"));
      if (self.state === "hanging") return new Promise<IssuerDocuments>(() => undefined);
      return Promise.resolve({
        discovery: self.discovery,
        keySet: { keys: self.keys },
        maxAge: self.maxAge,
      });
    },
  };
  return self;
};

export const MINUTE = 60_000;
export const REFRESH = 10 * MINUTE;
export const MAX_STALE = 60 * MINUTE;
export const FETCH_TIMEOUT = 5000;

interface KeysOptions {
  readonly state?: State;
  readonly refresh?: number;
  readonly maxStale?: number;
  readonly start?: number;
}

/** The keys of a fake issuer, with all that their observer was told. */
export const openKeys = (issuer: FakeIssuer, options: KeysOptions = {}) => {
  const clock = createFakeClock(START);
  const told: string[] = [];
  const kept: KeptKeys[] = [];
  let changes = 0;
  issuer.state = options.state ?? issuer.state;
  const keys = createIssuerKeys({
    fetch: (signal) => issuer.fetch(signal),
    refresh: options.refresh ?? REFRESH,
    maxStale: options.maxStale ?? MAX_STALE,
    fetchTimeout: FETCH_TIMEOUT,
    clock,
    observer: {
      fetched: (outcome) => void told.push(outcome),
      failing: (err, age) => void told.push(`failing ${(err as Error).message} ${age}`),
      changed: ({ keys: found }) => void told.push(`changed ${found.length}`),
      leftOut: (texts) => void told.push(["left out", ...texts].join(" ")),
    },
    keep: (one) => void kept.push(one),
    onChange: () => {
      changes += 1;
    },
  });
  return { keys, clock, told, kept, changes: () => changes };
};

export const CHECK = {
  issuer: ISSUER,
  audiences: [AUDIENCE],
  algorithms: ["RS256", "ES256"],
  types: ["at+jwt", "JWT"],
  clockSkew: 30_000,
  maxTokenSize: 12_288,
  subject: "sub",
};

/** A check of the tokens of a fake issuer, whose keys have arrived if it is up. */
export const openCheck = async (
  issuer: FakeIssuer,
  options: Partial<TokenCheckOptions> = {},
  keysOptions: KeysOptions = {},
) => {
  const opened = openKeys(issuer, keysOptions);
  await settle();
  const { keys, clock } = opened;
  return { ...opened, ...createTokenCheck({ ...CHECK, keys, now: () => clock.now(), ...options }) };
};
