import { type ApiKeyOptions, createApiKeyVerifier } from "../../src/auth/api-keys.ts";
import { createSecretVerifier, derivationTurns, type SecretVerifier } from "../../src/auth/secrets.ts";
import { createFailureThrottle } from "../../src/auth/throttle.ts";
import { cheapHash, codeOf, createClock, failureOf, START } from "./support.ts";

const ADDRESS = "192.0.2.1";
const HOUR = 3_600_000;

const keyOf = (options: Partial<ApiKeyOptions> = {}): ApiKeyOptions => ({
  id: "partner",
  key: "partner-key",
  kind: "server",
  stations: ["orders"],
  ...options,
});

const setUp = (...keys: ApiKeyOptions[]) => setUpWith({}, ...keys);

const setUpWith = (options: { readonly maxRemembered?: number }, ...keys: ApiKeyOptions[]) => {
  const clock = createClock();
  const verifier = createSecretVerifier({ turns: derivationTurns() });
  let derivations = 0;
  const { verify: verifyKey } = createApiKeyVerifier({
    ...{ keys, ...options },
    verifier: {
      verify: (...question: Parameters<SecretVerifier["verify"]>) => {
        if (question[0].scrypt !== undefined) derivations += 1;
        return verifier.verify(...question);
      },
    },
    throttle: createFailureThrottle({ limit: 5, windowMs: 60_000, now: clock.now }),
    now: clock.now,
  });
  const verify = (key: string, id?: string, address = ADDRESS) => verifyKey({ key, id, address });
  return { clock, verify, derivations: () => derivations };
};

describe("API keys", () => {
  it("accept the key alone, or id and key", async () => {
    const { verify } = setUp(keyOf(), keyOf({ id: "other", key: "other-key" }));
    expect(await verify("other-key")).toMatchObject({ kind: "api-key", name: "other" });
    expect(await verify("partner-key", "partner")).toMatchObject({ kind: "api-key", name: "partner" });
  });

  it.each([
    ["a wrong key", "x", undefined],
    ["an empty key", "", undefined],
    ["another id's key", "partner-key", "other"],
    ["an unknown id", "partner-key", "nobody"],
    ["an empty id", "partner-key", ""],
  ])("refuse %s", async (_what, key, id) => {
    const plain = setUp(keyOf(), keyOf({ id: "other", key: "other-key" }));
    const hashed = setUp(
      keyOf({ key: cheapHash("partner-key") }),
      keyOf({ id: "other", key: cheapHash("o") }),
    );
    for (const { verify } of [plain, hashed]) {
      await verify("partner-key", "partner");
      const error = await failureOf(() => verify(key, id));
      expect(error).toMatchObject({ code: "UNAUTHORIZED", message: "Unauthorized", cause: "wrong api key" });
    }
  });

  it("read the stations of their patterns, with their declared groups", async () => {
    const { verify } = setUp(
      keyOf({ consume: ["orders"], groups: ["billing"] }),
      keyOf({ id: "other", key: "o" }),
    );
    const principal = await verify("partner-key");
    expect([principal.mayConsume("orders"), principal.mayConsume("clicks")]).toEqual([true, false]);
    expect([principal.readsGroup?.("billing"), principal.readsGroup?.("Billing")]).toEqual([true, false]);
    const other = await verify("o");
    expect([other.mayConsume("orders"), other.readsGroup]).toEqual([false, undefined]);
  });

  it("without consume patterns only produce", async () => {
    const principal = await setUp(keyOf({ stations: ["clicks-*"] })).verify("partner-key");
    expect(principal.mayProduce("clicks-web")).toBe(true);
    expect(principal.mayProduce("orders")).toBe(false);
    expect(principal.mayConsume("clicks-web")).toBe(false);
  });

  it("give the principal their origins and limits", async () => {
    const limits = { requestsPerSecond: 100 };
    const key = keyOf({ kind: "browser", origins: ["https://Shop.example"], limits });
    expect(await setUp(key).verify("partner-key")).toMatchObject({
      origins: ["https://shop.example"],
      limits,
    });
  });

  it("refuse consume patterns for a browser key", async () => {
    const key = keyOf({ kind: "browser", origins: ["https://shop.example"], consume: ["orders"] });
    expect(await codeOf(() => setUp(key))).toBe("SETTINGS_INVALID");
  });

  it("refuse a browser key without origins", async () => {
    expect(await codeOf(() => setUp(keyOf({ kind: "browser" })))).toBe("SETTINGS_INVALID");
    expect(await codeOf(() => setUp(keyOf({ kind: "browser", origins: [] })))).toBe("SETTINGS_INVALID");
  });

  it.each([["partner-key"], [cheapHash("partner-key")]])(
    "expire even if they are remembered: %s",
    async (key) => {
      const { clock, verify } = setUp(keyOf({ key, expires: START + HOUR }));
      await verify("partner-key");
      clock.advance(HOUR - 1);
      expect(await verify("partner-key")).toMatchObject({ name: "partner" });
      clock.advance(1);
      expect(await codeOf(() => verify("partner-key"))).toBe("UNAUTHORIZED");
    },
  );

  it("with the same id are valid at the same time during a rotation", async () => {
    const { clock, verify } = setUp(
      keyOf({ key: "old-key", expires: START + HOUR }),
      keyOf({ key: cheapHash("new-key") }),
    );
    for (const key of ["old-key", "new-key"])
      expect(await verify(key, "partner")).toMatchObject({ name: "partner" });
    clock.advance(HOUR);
    expect(await codeOf(() => verify("old-key", "partner"))).toBe("UNAUTHORIZED");
    expect(await verify("new-key", "partner")).toMatchObject({ name: "partner" });
  });
});

describe("hashed API keys", () => {
  const hashed = () =>
    setUp(keyOf({ key: cheapHash("partner-key") }), keyOf({ id: "b", key: cheapHash("b-key") }));

  it("need one derivation; later requests need none", async () => {
    const { verify, derivations } = hashed();
    expect(verify("partner-key")).toBeInstanceOf(Promise);
    await verify("partner-key");
    const before = derivations();
    expect(verify("partner-key")).toMatchObject({ name: "partner" });
    expect(derivations()).toBe(before);
  });

  it("derive a repeated wrong key once, and never throttle it", async () => {
    const { verify, derivations } = hashed();
    for (let time = 0; time < 20; time += 1) expect(await codeOf(() => verify("x"))).toBe("UNAUTHORIZED");
    expect(derivations()).toBe(2);
  });

  it("derive a wrong key again after as many other wrong keys as are remembered", async () => {
    const { verify, derivations } = setUpWith({ maxRemembered: 2 }, keyOf({ key: cheapHash("partner-key") }));
    const fail = async (key: string): Promise<number> => {
      const before = derivations();
      await failureOf(() => verify(key));
      return derivations() - before;
    };
    const costs: number[] = [];
    for (const key of ["one", "two", "two", "three", "two", "three", "one"]) costs.push(await fail(key));
    expect(costs).toEqual([1, 1, 0, 1, 0, 0, 1]);
  });

  it("derive only the hashes of the given id", async () => {
    const { verify, derivations } = hashed();
    await codeOf(() => verify("x", "b"));
    expect(derivations()).toBe(1);
  });

  it("throttle unknown keys from the guesser's network, but neither known keys nor other networks", async () => {
    const { verify } = hashed();
    await verify("partner-key");
    for (let guess = 0; guess < 5; guess += 1) await codeOf(() => verify(`guess ${guess}`));
    expect(await codeOf(() => verify("b-key"))).toBe("LOGIN_THROTTLED");
    expect(verify("partner-key")).toMatchObject({ name: "partner" });
    expect(await verify("b-key", undefined, "192.0.2.2")).toMatchObject({ name: "b" });
  });

  it("need the same derivations for an unknown, an expired and a known id", async () => {
    const costs = [];
    for (const id of ["partner", "b", "gone", "nobody"]) {
      const { verify, derivations } = setUp(
        keyOf({ key: cheapHash("partner-key") }),
        keyOf({ key: cheapHash("the partner's next key") }),
        keyOf({ id: "b", key: cheapHash("b-key") }),
        keyOf({ id: "gone", key: cheapHash("gone-key"), expires: START - 1 }),
      );
      await codeOf(() => verify("x", id));
      costs.push(derivations());
    }
    expect(costs).toEqual([2, 2, 2, 2]);
  });

  it("count the guesses of one IPv6 network together", async () => {
    const { verify } = hashed();
    for (let host = 0; host < 5; host += 1)
      await codeOf(() => verify(`guess ${host}`, undefined, `2001:db8::${host}`));
    expect(await codeOf(() => verify("guess", undefined, "2001:db8::ffff"))).toBe("LOGIN_THROTTLED");
    expect(await codeOf(() => verify("guess", undefined, "2001:db8:0:1::1"))).toBe("UNAUTHORIZED");
  });
});
