import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { parseJws } from "../../../src/auth/issuers/jws.ts";
import { failureOf } from "../support.ts";
import {
  claimsOf,
  compact,
  createFakeIssuer,
  createKey,
  FETCH_TIMEOUT,
  MAX_STALE,
  MINUTE,
  openCheck,
  openKeys,
  pass,
  REFRESH,
  settle,
  START,
  tokenOf,
} from "./support.ts";

const ONE = createKey("RS256", { kid: "one" });
const TWO = createKey("RS256", { kid: "two" });
const SHORT = createKey("RS256", { kid: "short" }, 1024);
const SECOND = 1000;

setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc") as () => void;

const UNKNOWN = { code: "UNAUTHORIZED", cause: "unknown key" };
const UNAVAILABLE = { code: "KEYS_UNAVAILABLE", retryAfter: 5, cause: "keys unavailable", status: 503 };

/** The error that the task throws in this turn. */
const thrownBy = (task: () => unknown): unknown => {
  try {
    return task();
  } catch (error) {
    return error;
  }
};

describe("the keys of an issuer in the background", () => {
  it("are fetched at the start and then in the configured interval", async () => {
    const issuer = createFakeIssuer(ONE);
    const { keys, clock, told } = openKeys(issuer);
    expect(keys.areAvailable).toBe(false);
    await settle();
    expect(keys.areAvailable).toBe(true);
    for (let i = 2; i < 5; i += 1) {
      clock.advance(REFRESH - 1);
      await settle();
      expect(issuer.fetches).toBe(i - 1);
      clock.advance(1);
      await settle();
      expect(issuer.fetches).toBe(i);
    }
    expect(told).toEqual(["ok", "changed 1", "ok", "ok", "ok"]);
  });

  it.each([
    [0, 30 * SECOND],
    [29 * SECOND, 30 * SECOND],
    [2 * MINUTE, 2 * MINUTE],
    [60 * MINUTE, REFRESH],
  ])("are fetched with max-age %d ms after %d ms", async (maxAge, interval) => {
    const issuer = createFakeIssuer(ONE);
    issuer.maxAge = maxAge;
    const { clock } = openKeys(issuer);
    await settle();
    clock.advance(interval - 1);
    await settle();
    expect(issuer.fetches).toBe(1);
    clock.advance(1);
    await settle();
    expect(issuer.fetches).toBe(2);
  });

  it("are fetched in an interval below 30 s if that is configured, whatever max-age is", async () => {
    const issuer = createFakeIssuer(ONE);
    issuer.maxAge = 0;
    const { clock } = openKeys(issuer, { refresh: SECOND });
    await settle();
    clock.advance(SECOND);
    await settle();
    expect(issuer.fetches).toBe(2);
  });

  it("are fetched every 30 s while the fetches fail, also if they hang", async () => {
    const issuer = createFakeIssuer(ONE);
    const { clock } = openKeys(issuer, { state: "hanging" });
    for (let i = 2; i < 5; i += 1) {
      clock.advance(FETCH_TIMEOUT);
      await settle();
      clock.advance(30 * SECOND - FETCH_TIMEOUT);
      await settle();
      expect(issuer.fetches).toBe(i);
    }
  });

  it("stay valid for maxStale after the last successful fetch, and become valid again with the next one", async () => {
    const issuer = createFakeIssuer(ONE);
    const { keys, clock } = openKeys(issuer);
    await settle();
    issuer.state = "failing";
    await pass(clock, MAX_STALE - SECOND);
    expect([keys.areAvailable, keys.age]).toEqual([true, MAX_STALE - SECOND]);
    clock.advance(SECOND);
    expect(keys.areAvailable).toBe(false);
    issuer.state = "up";
    await pass(clock, 30 * SECOND);
    expect([keys.areAvailable, keys.version]).toEqual([true, 1]);
  }, 60_000);

  it("cause a warning at the first failure, every 10 min, and at the first failure after a success", async () => {
    const issuer = createFakeIssuer(ONE);
    const { clock, told } = openKeys(issuer, { state: "failing" });
    await settle();
    for (let i = 0; i < 40; i += 1) {
      clock.advance(30 * SECOND);
      await settle();
    }
    issuer.state = "up";
    clock.advance(30 * SECOND);
    await settle();
    issuer.state = "failing";
    clock.advance(REFRESH);
    await settle();
    expect(told.filter((line) => line !== "failed" && line !== "ok")).toEqual([
      "failing refused undefined",
      "failing refused undefined",
      "failing refused undefined",
      "changed 1",
      `failing refused ${REFRESH}`,
    ]);
  });

  it("say why a fetch that hangs has failed", async () => {
    const { clock, told } = openKeys(createFakeIssuer(ONE), { state: "hanging" });
    clock.advance(FETCH_TIMEOUT);
    await settle();
    expect(told).toEqual(["failed", "failing no answer within 5000 ms undefined"]);
  });

  it("cause a warning if other keys can't be used than before, also if the usable keys are the same", async () => {
    const issuer = createFakeIssuer(ONE);
    const { keys, clock, told } = openKeys(issuer);
    await settle();
    for (const more of [[SHORT.jwk], [SHORT.jwk], [], [SHORT.jwk]]) {
      issuer.keys = [ONE.jwk, ...more];
      clock.advance(REFRESH);
      await settle();
    }
    const warning = "left out short: has only 1024 bits";
    expect(told.filter((line) => line !== "ok")).toEqual(["changed 1", warning, warning]);
    expect(keys.version).toBe(1);
  });

  it("get a new version only if they have changed", async () => {
    const issuer = createFakeIssuer(ONE);
    const { keys, clock, changes, kept } = openKeys(issuer);
    await settle();
    clock.advance(REFRESH);
    await settle();
    expect([keys.version, changes(), kept.length]).toEqual([1, 1, 2]);
    issuer.keys = [ONE.jwk, TWO.jwk];
    clock.advance(REFRESH);
    await settle();
    expect([keys.version, changes()]).toEqual([2, 2]);
  });

  it("are not fetched after close, and can still be used", async () => {
    const issuer = createFakeIssuer(ONE);
    const { keys, clock } = openKeys(issuer);
    await settle();
    keys.close();
    clock.advance(10 * REFRESH);
    expect(issuer.fetches).toBe(1);
    expect(keys.choose("one", "RS256")).toMatchObject({ kid: "one" });
    expect(keys.refetch(() => true)).toBeUndefined();
  });

  it("end a fetch in progress with close, without a warning", async () => {
    const { keys, told } = openKeys(createFakeIssuer(ONE), { state: "hanging" });
    keys.close();
    await settle();
    expect(told).toEqual([]);
  });
});

describe("the keys of another process", () => {
  const given = async () => {
    const { kept } = openKeys(createFakeIssuer(ONE));
    await settle();
    const [keys] = kept;
    if (keys === undefined) throw new Error("nothing was kept");
    return JSON.parse(JSON.stringify(keys)) as typeof keys;
  };

  it("are used while the issuer is unreachable, with their age", async () => {
    const { keys, clock, changes } = openKeys(createFakeIssuer(), { state: "failing" });
    keys.adopt({ ...(await given()), fetchedAt: START - MINUTE });
    expect([keys.areAvailable, keys.age, changes()]).toEqual([true, MINUTE, 1]);
    expect(keys.choose("one", "RS256")).toMatchObject({ kid: "one" });
    clock.advance(MAX_STALE - MINUTE);
    expect(keys.areAvailable).toBe(false);
  });

  it("do not replace newer keys", async () => {
    const { keys } = openKeys(createFakeIssuer(TWO));
    await settle();
    keys.adopt({ ...(await given()), fetchedAt: START - 1 });
    expect(keys.choose("one", "RS256")).toBe("unknown");
  });
});

describe("a token with an unknown key", () => {
  const unknown = (i = 0): string =>
    compact(
      JSON.stringify({ alg: "RS256", kid: `made up ${i}` }),
      JSON.stringify(claimsOf()),
      Buffer.alloc(256),
    );

  it("waits for one fetch together with all other such tokens, and is accepted if the fetch brings the key", async () => {
    const issuer = createFakeIssuer(ONE);
    const { check } = await openCheck(issuer);
    issuer.keys = [ONE.jwk, TWO.jwk];
    const token = tokenOf(TWO);
    const waiting = Array.from({ length: 100 }, async () => check(token));
    expect(check(token)).toBeInstanceOf(Promise);
    expect(await Promise.all(waiting)).toHaveLength(100);
    expect(issuer.fetches).toBe(2);
    expect(check(tokenOf(TWO))).not.toBeInstanceOf(Promise);
  });

  it.each([
    ["successful", "up", UNKNOWN],
    ["failed", "failing", UNAVAILABLE],
  ] as const)("causes one %s fetch in 30 s, and is refused at once otherwise", async (_, state, refusal) => {
    const issuer = createFakeIssuer(ONE);
    const { check, clock } = await openCheck(issuer);
    issuer.state = state;
    expect(await failureOf(() => check(unknown()))).toMatchObject(refusal);
    expect(issuer.fetches).toBe(2);
    clock.advance(30 * SECOND - 1);
    await settle();
    const fetches = issuer.fetches;
    expect(thrownBy(() => check(unknown(1)))).toMatchObject({ code: refusal.code });
    expect(issuer.fetches).toBe(fetches);
    clock.advance(1);
    await settle();
    await failureOf(() => check(unknown(2)));
    expect(issuer.fetches).toBeGreaterThan(fetches);
  });

  it("causes no second fetch in 30 s if the first one brought an empty set", async () => {
    const issuer = createFakeIssuer(ONE);
    const { check } = await openCheck(issuer);
    issuer.keys = [];
    expect(await failureOf(() => check(unknown()))).toMatchObject(UNKNOWN);
    expect(thrownBy(() => check(tokenOf(ONE)))).toMatchObject({ code: "UNAUTHORIZED" });
    expect(issuer.fetches).toBe(2);
  });

  it("does not keep known tokens from being accepted", async () => {
    const issuer = createFakeIssuer(ONE);
    const { check } = await openCheck(issuer);
    issuer.state = "failing";
    await failureOf(() => check(unknown()));
    expect(check(tokenOf(ONE))).toMatchObject({ subject: "ann" });
  });

  it("waits at most fetchTimeout, and gets 503 then", async () => {
    const issuer = createFakeIssuer(ONE);
    const { check, clock } = await openCheck(issuer);
    issuer.state = "hanging";
    const failure = failureOf(() => check(unknown()));
    await settle();
    clock.advance(FETCH_TIMEOUT);
    expect(await failure).toMatchObject(UNAVAILABLE);
  });

  it("gets 503 at once if 1,000 tokens wait", async () => {
    const issuer = createFakeIssuer(ONE);
    const { check, clock } = await openCheck(issuer);
    issuer.state = "hanging";
    const failures = Array.from({ length: 1000 }, (_, i) => failureOf(() => check(unknown(i))));
    expect(thrownBy(() => check(unknown(1000)))).toMatchObject(UNAVAILABLE);
    clock.advance(FETCH_TIMEOUT);
    expect(await Promise.all(failures)).toHaveLength(1000);
    clock.advance(30 * SECOND);
    await settle();
    expect(check(unknown(1001))).toBeInstanceOf(Promise);
  });

  it("waits for the first fetch, which counts as no fetch for an unknown key", async () => {
    const issuer = createFakeIssuer(ONE);
    const { check } = await openCheck(issuer, {}, { state: "hanging" });
    issuer.state = "up";
    expect(check(tokenOf(ONE))).toBeInstanceOf(Promise);
    expect(issuer.fetches).toBe(1);
  });

  it.each(["up", "failing", "hanging"] as const)(
    "causes one fetch in 30 s and no growing memory if there are 100,000 of them and the issuer is %s",
    async (state) => {
      const issuer = createFakeIssuer(ONE);
      const { check, clock } = await openCheck(issuer);
      issuer.state = state;
      const storm = async (count: number): Promise<void> => {
        for (let i = 0; i < count; i += 1) {
          const answer = Promise.resolve().then(() => check(unknown(i)));
          void answer.catch(() => undefined);
          if (i % 1000 === 0) await new Promise(setImmediate);
        }
      };
      const fetches = issuer.fetches;
      await storm(1000);
      clock.advance(FETCH_TIMEOUT);
      await settle();
      collectGarbage();
      const before = process.memoryUsage().heapUsed;
      await storm(100_000);
      await settle();
      collectGarbage();
      expect(issuer.fetches).toBe(fetches + 1);
      expect(process.memoryUsage().heapUsed - before).toBeLessThan(10 * 1024 * 1024);
    },
    120_000,
  );
});

describe("all tokens of an issuer whose keys are not available", () => {
  it.each([
    ["its key is unknown", tokenOf(ONE)],
    ["its algorithm is not allowed", tokenOf(createKey("ES384"))],
    ["its type is not allowed", tokenOf(ONE, {}, { typ: "x" })],
    ["it has expired", tokenOf(ONE, { exp: 1 })],
  ])("get 503 before the first successful fetch, also if %s", async (_, token) => {
    const { check } = await openCheck(createFakeIssuer(ONE), {}, { state: "failing" });
    expect(await failureOf(() => check(token))).toMatchObject(UNAVAILABLE);
  });

  it("get 503 before the first successful fetch, also if the token is too long", async () => {
    const { checkParsed } = await openCheck(createFakeIssuer(ONE), {}, { state: "failing" });
    const token = parseJws(tokenOf(ONE, { pad: "x".repeat(12_288) }));
    expect(await failureOf(() => token && checkParsed(token))).toMatchObject(UNAVAILABLE);
  });

  it("get 503 when the keys are older than maxStale, and cause no fetch with a known key", async () => {
    const issuer = createFakeIssuer(ONE);
    const { check, clock } = await openCheck(issuer, {}, { maxStale: 2 * MINUTE });
    issuer.state = "failing";
    clock.advance(2 * MINUTE);
    const fetches = issuer.fetches;
    for (const token of [tokenOf(ONE), tokenOf(ONE, {}, { typ: "x" }), tokenOf(ONE, {}, { alg: "PS256" })])
      expect(await failureOf(() => check(token))).toMatchObject(UNAVAILABLE);
    expect(issuer.fetches).toBe(fetches);
  });

  it("get 401 if they are malformed, because their issuer is not known then", async () => {
    const { check } = await openCheck(createFakeIssuer(ONE), {}, { state: "failing" });
    expect(await failureOf(() => check("x.y"))).toMatchObject({ code: "UNAUTHORIZED" });
  });
});
