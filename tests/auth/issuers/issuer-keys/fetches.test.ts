/** Fetches that overlap, and the time of a fetch. */
import { failureOf } from "../../support.ts";
import {
  claimsOf,
  compact,
  createFakeIssuer,
  createKey,
  type FakeIssuer,
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
} from "../support.ts";

const ONE = createKey("RS256", { kid: "one" });
const TWO = createKey("RS256", { kid: "two" });
const SECOND = 1000;

const UNKNOWN = { code: "UNAUTHORIZED", cause: "unknown key" };
const UNAVAILABLE = { code: "KEYS_UNAVAILABLE", cause: "keys unavailable" };

/** The answers of the issuer from now on wait for `release`. They have the keys of the time of the request. */
const holdAnswers = (issuer: FakeIssuer) => {
  const { fetch } = issuer;
  let open = (): void => undefined;
  const opened = new Promise<void>((resolve) => (open = resolve));
  issuer.fetch = async (signal) => {
    const answer = await fetch(signal);
    await opened;
    return answer;
  };
  return {
    release: () => {
      issuer.fetch = fetch;
      open();
    },
  };
};

const unknown = (): string =>
  compact(JSON.stringify({ alg: "RS256", kid: "made up" }), JSON.stringify(claimsOf()), Buffer.alloc(256));

describe("the keys of an issuer", () => {
  it("have the age of the beginning of their fetch", async () => {
    const issuer = createFakeIssuer(ONE);
    const held = holdAnswers(issuer);
    const { keys, kept, clock } = openKeys(issuer);
    clock.advance(2 * SECOND);
    held.release();
    await settle();
    expect([keys.age, kept[0]?.fetchedAt]).toEqual([2 * SECOND, START]);
    keys.adopt({ jwks: [TWO.jwk], discovery: undefined, fetchedAt: START + SECOND });
    expect(keys.choose("two", "RS256")).toMatchObject({ kid: "two" });
  });

  it("don't depend on the time of the machine", async () => {
    const issuer = createFakeIssuer(ONE);
    const { keys, clock } = openKeys(issuer);
    await settle();
    await keys.refetch(() => true);
    clock.set(START - 60 * MINUTE);
    clock.advance(30 * SECOND);
    expect(keys.age).toBe(30 * SECOND);
    await keys.refetch(() => true);
    expect(issuer.fetches).toBe(3);
    issuer.state = "failing";
    await pass(clock, MAX_STALE);
    expect(keys.areAvailable).toBe(false);
  }, 60_000);
});

describe("a token with an unknown key", () => {
  it("causes a further fetch if it has joined one in the background that began before the key was there", async () => {
    const issuer = createFakeIssuer(ONE);
    const { check, clock } = await openCheck(issuer);
    const held = holdAnswers(issuer);
    clock.advance(REFRESH);
    await settle();
    const token = tokenOf(TWO, { exp: START / 1000 + 3600 });
    const waiting = [1, 2].map(async () => check(token));
    issuer.keys = [ONE.jwk, TWO.jwk];
    held.release();
    expect(await Promise.all(waiting)).toHaveLength(2);
    expect(issuer.fetches).toBe(3);
    expect(await failureOf(() => check(unknown()))).toMatchObject(UNKNOWN);
    expect(issuer.fetches).toBe(3);
  });

  it("waits for both fetches together at most fetchTimeout", async () => {
    const issuer = createFakeIssuer(ONE);
    const { check, clock } = await openCheck(issuer);
    const held = holdAnswers(issuer);
    clock.advance(REFRESH);
    await settle();
    const failure = failureOf(() => check(unknown()));
    clock.advance(FETCH_TIMEOUT - SECOND);
    issuer.state = "hanging";
    held.release();
    await settle();
    expect(issuer.fetches).toBe(3);
    clock.advance(SECOND);
    expect(await failure).toMatchObject(UNAVAILABLE);
  });
});
