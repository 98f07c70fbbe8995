/** The issuers of the settings with their keys, over reloads, and behind the verifier of bearer tokens. */
import { createAccounts } from "../../../src/auth/accounts.ts";
import { createBearerVerifier } from "../../../src/auth/authenticator.ts";
import type { GetDocument } from "../../../src/auth/issuers/issuer-documents.ts";
import { createIssuers, type IssuerOptions } from "../../../src/auth/issuers/issuers.ts";
import { createKeyUnits, type Handover } from "../../../src/auth/issuers/key-units.ts";
import type { Principal } from "../../../src/auth/principal.ts";
import { createTokens } from "../../../src/auth/tokens.ts";
import { createMetrics } from "../../../src/observability/metrics.ts";
import { createFakeClock } from "../../support/fake-clock.ts";
import { failureOf } from "../support.ts";
import {
  createKey,
  ISSUER,
  type Json,
  MAX_STALE,
  MINUTE,
  pass,
  REFRESH,
  settle,
  START,
  tokenOf,
} from "./support.ts";

const ONE = createKey("RS256", { kid: "one" });
const TWO = createKey("ES256", { kid: "two" });
const OTHER = "https://other.example";

const ENTRY: IssuerOptions = {
  name: "corp",
  issuer: ISSUER,
  jwksUri: "https://keys.example/corp",
  audience: ["stationgate"],
  algorithms: ["RS256", "ES256"],
  types: ["JWT", "at+jwt"],
  subject: "sub",
  mapping: [],
  stations: ["orders"],
  consume: ["orders"],
  origins: [],
  limits: {},
  clockSkew: 30_000,
  maxTokenSize: 12_288,
  refresh: REFRESH,
  maxStale: MAX_STALE,
  fetchTimeout: 5000,
};

const setUp = () => {
  const clock = createFakeClock(START);
  const now = () => clock.now();
  const keys: Record<string, readonly Json[] | undefined> = { [String(ENTRY.jwksUri)]: [ONE.jwk] };
  const fetched: string[] = [];
  const get: GetDocument = (url) => {
    fetched.push(url);
    const found = keys[url];
    return found === undefined
      ? Promise.reject(new Error("refused"))
      : Promise.resolve({ value: { keys: found }, cacheControl: "" });
  };
  const lines: [string, unknown][] = [];
  const handovers: Handover[] = [];
  const metrics = createMetrics();
  let changes = 0;
  const units = createKeyUnits({
    ...{ clock, metrics, client: () => get },
    logger: {
      info: (fields: unknown, text?: string) => void lines.push([String(text), fields]),
      warn: (fields: unknown, text?: string) => void lines.push([String(text), fields]),
    },
    handOver: (handover) => void handovers.push(handover),
    onChange: () => {
      changes += 1;
    },
  });
  const open = (...entries: Partial<IssuerOptions>[]) =>
    createIssuers({ entries: entries.map((entry) => ({ ...ENTRY, ...entry })), units, now });
  return { clock, now, keys, fetched, lines, handovers, metrics, units, open, changes: () => changes };
};

const setUpVerifier = async (entry: Partial<IssuerOptions> = {}, maxRememberedBytes?: number) => {
  const parts = setUp();
  const issuers = parts.open(entry);
  const own = [{ kid: "own", secret: "an access secret of more than 32 bytes" }];
  const tokens = createTokens({ use: "access", keys: own, issuer: "gate", audience: "gate", now: parts.now });
  const accounts = createAccounts([{ username: "ann", stations: ["*"] }]);
  const { verify } = createBearerVerifier({
    ...{ tokens, accounts, now: parts.now, maxRememberedBytes },
    issuers: { ...issuers, ownIssuer: "gate" },
  });
  await settle();
  const known = (token: string): Principal => {
    const principal = verify(token);
    if (principal instanceof Promise) throw new Error("the token waits");
    return principal;
  };
  return { ...parts, issuers, tokens, verify, known };
};

describe("the memory of the remembered tokens", () => {
  const remembered = async (entry: Partial<IssuerOptions>, claims: Json) => {
    const { known } = await setUpVerifier(entry, 1_000_000);
    const tokens = Array.from({ length: 100 }, (_, i) => tokenOf(ONE, { ...claims, jti: i }));
    const principals = tokens.map(known);
    // From the newest to the oldest: a token that is verified again evicts an older one.
    return tokens.filter((_, i) => known(tokens.at(-1 - i) ?? "") === principals.at(-1 - i)).length;
  };
  const patterns = Array.from({ length: 1000 }, (_, i) => `${i}*`);

  it("is bounded", async () => {
    expect(await remembered({}, {})).toBe(100);
    const long = await remembered({}, { pad: "x".repeat(8000) });
    expect([long > 40, long < 60]).toEqual([true, true]);
    expect(await remembered({ stationsClaim: "st" }, { st: patterns })).toBe(2);
    const mapping = [{ claim: "groups", value: "a", stations: [], consume: patterns }];
    expect(await remembered({ mapping }, { groups: "a" })).toBe(2);
  });

  it("counts a repeated pattern once", async () => {
    expect(await remembered({ stationsClaim: "st" }, { st: Array(1000).fill("a*") })).toBeGreaterThan(60);
  });

  it("leaves a token out that is larger than the whole cache", async () => {
    const { known } = await setUpVerifier({}, 10_000);
    const token = tokenOf(ONE, { pad: "x".repeat(8000) });
    expect(known(token)).not.toBe(known(token));
  });
});

describe("a bearer token", () => {
  it("is verified by the issuer that it names", async () => {
    const { known, tokens } = await setUpVerifier();
    const mine = tokens.issue({ username: "ann", accountId: undefined, scope: {} }, MINUTE);
    expect(known(mine)).toMatchObject({ kind: "account", name: "ann" });
    expect(known(tokenOf(ONE))).toMatchObject({ kind: "issuer", name: "corp:ann" });
  });

  it.each([
    ["no token", "x", "malformed token"],
    ["an unknown issuer", tokenOf(ONE, { iss: OTHER }), "unknown issuer"],
    ["the gateway's own issuer and another signature", tokenOf(ONE, { iss: "gate" }), "invalid token"],
    ["more than any entry allows", tokenOf(ONE, { more: "x".repeat(20_000) }), "malformed token"],
  ])("is refused with %s", async (_, token, cause) => {
    const { verify } = await setUpVerifier();
    expect(await failureOf(() => verify(token))).toMatchObject({ code: "UNAUTHORIZED", cause });
  });

  it("is remembered until it expires, with the tolerance", async () => {
    const { known, clock } = await setUpVerifier();
    const token = tokenOf(ONE, { exp: START / 1000 + 60 });
    const principal = known(token);
    clock.advance(90_000 - 1);
    expect(known(token)).toBe(principal);
    clock.advance(1);
    expect(await failureOf(() => known(token))).toMatchObject({ cause: "expired" });
  });

  it("is remembered over a refresh that brings the same keys", async () => {
    const { known, clock } = await setUpVerifier();
    const token = tokenOf(ONE, { exp: START / 1000 + 3600 });
    const principal = known(token);
    clock.advance(REFRESH);
    await settle();
    expect(known(token)).toBe(principal);
  });

  it("is invalid when its key leaves the set, also if it is remembered", async () => {
    const { known, verify, keys, clock, changes } = await setUpVerifier();
    const token = tokenOf(ONE, { exp: START / 1000 + 3600 });
    known(token);
    keys[String(ENTRY.jwksUri)] = [TWO.jwk];
    clock.advance(REFRESH);
    await settle();
    expect(changes()).toBe(2);
    expect(await failureOf(() => verify(token))).toMatchObject({
      code: "UNAUTHORIZED",
      cause: "unknown key",
    });
  });

  it("gets 503 when the keys are too old, also if it is remembered, and is remembered afterwards", async () => {
    const { known, verify, keys, clock } = await setUpVerifier();
    const token = tokenOf(ONE, { exp: START / 1000 + 90_000 });
    const principal = known(token);
    const source = keys[String(ENTRY.jwksUri)];
    keys[String(ENTRY.jwksUri)] = undefined;
    await pass(clock, MAX_STALE);
    expect(await failureOf(() => verify(token))).toMatchObject({ code: "KEYS_UNAVAILABLE", retryAfter: 5 });
    keys[String(ENTRY.jwksUri)] = source;
    await pass(clock, 30_000);
    expect(known(token)).toBe(principal);
  });

  it("that waits for a fetch is remembered afterwards", async () => {
    const { verify, known, keys } = await setUpVerifier();
    keys[String(ENTRY.jwksUri)] = [ONE.jwk, TWO.jwk];
    const token = tokenOf(TWO);
    const principal = await verify(token);
    expect(known(token)).toBe(principal);
  });
});

describe("an entry after a reload", () => {
  it("that is unchanged keeps its keys and their age, and causes no fetch", async () => {
    const { open, fetched, clock, metrics } = setUp();
    const before = open({});
    await settle();
    clock.advance(MINUTE);
    const after = open({ stations: ["payroll"], audience: ["x", "stationgate"] });
    before.close();
    clock.advance(MINUTE);
    expect(fetched).toHaveLength(1);
    expect(await metrics.text()).toContain('stationgate_issuer_keys_age_seconds{issuer="corp"} 120');
    after.close();
    expect(await metrics.text()).not.toContain("stationgate_issuer_keys_age_seconds{");
    clock.advance(REFRESH);
    expect(fetched).toHaveLength(1);
  });

  it("that has other times begins with the keys that are there", async () => {
    const { open, fetched } = setUp();
    open({});
    await settle();
    const { renew, close } = open({ refresh: MINUTE });
    expect(fetched).toHaveLength(2);
    expect(renew).toBeDefined();
    close();
  });

  it("keeps the principal of a token with its present rights", async () => {
    const { known, open } = await setUpVerifier();
    const principal = known(tokenOf(ONE, { role: "till" }));
    const renewed = open({ stations: ["payroll"], subject: "role" }).renew(principal);
    expect(renewed).toMatchObject({ name: "corp:till" });
    expect([renewed?.mayProduce("orders"), renewed?.mayProduce("payroll")]).toEqual([false, true]);
    expect(renewed && open({}).renew(renewed)).toMatchObject({ name: "corp:ann" });
  });

  it.each([
    ["that was removed", { issuer: OTHER }],
    ["with another audience", { audience: ["other"] }],
  ])("%s has no principal for the token", async (_, changed) => {
    const { known, open } = await setUpVerifier();
    expect(open(changed).renew(known(tokenOf(ONE)))).toBeUndefined();
  });

  it("has no principal for other credentials", async () => {
    const { known, tokens, issuers } = await setUpVerifier();
    const mine = known(tokens.issue({ username: "ann", accountId: undefined, scope: {} }, MINUTE));
    expect(issuers.renew(mine)).toBeUndefined();
  });

  it("has no principal for a token whose key has left the set", async () => {
    const { known, issuers, keys, clock } = await setUpVerifier();
    const principal = known(tokenOf(ONE));
    keys[String(ENTRY.jwksUri)] = [];
    clock.advance(REFRESH);
    await settle();
    expect(issuers.renew(principal)).toBeUndefined();
  });
});

describe("the keys for a process that starts later", () => {
  it("are handed over after each fetch, and taken by entries with the same source", async () => {
    const first = setUp();
    first.open({});
    await settle();
    expect(first.handovers).toHaveLength(1);
    const later = setUp();
    later.keys[String(ENTRY.jwksUri)] = undefined;
    const issuers = later.open({ refresh: MINUTE });
    await settle();
    for (const handover of first.handovers)
      later.units.adopt(JSON.parse(JSON.stringify(handover)) as Handover);
    const { verify } = createBearerVerifier({
      tokens: createTokens({
        use: "access",
        keys: [{ kid: "x", secret: "x" }],
        issuer: "gate",
        audience: "gate",
      }),
      accounts: createAccounts([]),
      issuers: { ...issuers, ownIssuer: "gate" },
      now: later.now,
    });
    expect(verify(tokenOf(ONE))).toMatchObject({ name: "corp:ann" });
    expect(later.changes()).toBe(1);
  });

  it("are not taken by entries with another source", async () => {
    const first = setUp();
    first.open({});
    await settle();
    const later = setUp();
    later.open({ jwksUri: "https://keys.example/other" }, { issuer: OTHER, ca: "pem", name: "b" });
    for (const handover of first.handovers) later.units.adopt(handover);
    expect(later.changes()).toBe(0);
  });

  it("are withdrawn when no entry uses the source any more", async () => {
    const { open, handovers } = setUp();
    const [one, two] = [open({}), open({})];
    await settle();
    one.close();
    one.close();
    expect(handovers).toHaveLength(1);
    two.close();
    expect(handovers[1]).toEqual({ source: handovers[0]?.source });
  });
});

describe("log lines and metrics of issuers", () => {
  it("tell changes and failures of the keys, without the keys", async () => {
    const { open, keys, clock, lines, metrics } = setUp();
    keys[String(ENTRY.jwksUri)] = [ONE.jwk, { kty: "oct", kid: "secret", k: "AAAA" }];
    open({});
    await settle();
    keys[String(ENTRY.jwksUri)] = undefined;
    clock.advance(REFRESH);
    await settle();
    expect(lines).toEqual([
      ["keys of the issuer fetched", { issuer: "corp", keys: 1 }],
      [
        "keys of the issuer can't be used",
        { issuer: "corp", leftOut: ["secret: its kty or its curve is not supported"] },
      ],
      ["keys of the issuer can't be fetched", { issuer: "corp", err: new Error("refused"), ageSeconds: 600 }],
    ]);
    const text = await metrics.text();
    expect(text).toContain('stationgate_issuer_fetches_total{issuer="corp",outcome="ok"} 1');
    expect(text).toContain('stationgate_issuer_fetches_total{issuer="corp",outcome="failed"} 1');
    expect(text).toContain('stationgate_issuer_keys_age_seconds{issuer="corp"} 600');
  });
});
