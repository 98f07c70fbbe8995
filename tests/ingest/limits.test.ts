import { verifiedPrincipal, type Limits } from "../../src/auth/principal.ts";
import { createRates, type Caller, type Demand } from "../../src/ingest/limits.ts";

const caller = (limits: Limits, { name = "app", address = "10.0.0.1" } = {}): Caller => ({
  principal: verifiedPrincipal({
    kind: "account",
    name,
    mayProduce: () => true,
    mayConsume: () => false,
    origins: [],
    limits,
  }),
  request: { ip: address },
});

const setUp = (perAddress: Limits = {}, maxAddresses = 10) => {
  let time = 0;
  const rates = createRates({ perAddress, maxDebtMs: 60_000, maxAddresses, now: () => time });
  return {
    rates,
    wait: (ms: number) => {
      time += ms;
    },
    take: (client: Caller, demand: Partial<Demand>): number =>
      rates.take(client, { requests: 0, events: 0, bytes: 0, ...demand })?.retryAfter ?? 0,
  };
};

describe("rates", () => {
  it("allow everything without limits", () => {
    const { rates, take } = setUp();
    expect(take(caller({}), { events: 1e9 })).toBe(0);
    expect(rates.quota(caller({}))).toBeUndefined();
  });

  it.each([
    ["requests", { requestsPerSecond: 100 }],
    ["events", { eventsPerSecond: 100 }],
    ["bytes", { bytesPerSecond: 100 }],
  ] as const)("limit %s to the rate, however fast they arrive", (unit, limits) => {
    const { take, wait } = setUp();
    const client = caller({ ...limits, burst: 100 });
    let taken = 0;
    for (let ms = 0; ms < 60_000; ms++) {
      if (take(client, { [unit]: 1 }) === 0) taken++;
      wait(1);
    }
    // Ten at once, which is the burst, and then the rate.
    expect(taken).toBeGreaterThanOrEqual(6000);
    expect(taken).toBeLessThanOrEqual(6010);
  });

  it("limit calls that are larger than the bucket to the rate", () => {
    const { take, wait } = setUp();
    const client = caller({ eventsPerSecond: 100, burst: 100 });
    let taken = 0;
    for (let ms = 0; ms < 60_000; ms += 10) {
      if (take(client, { events: 50 }) === 0) taken += 50;
      wait(10);
    }
    expect(taken).toBeGreaterThanOrEqual(5900);
    expect(taken).toBeLessThanOrEqual(6100);
  });

  it("return the time to wait, and accept the call after it", () => {
    const { take, wait } = setUp();
    const client = caller({ eventsPerSecond: 10, burst: 1000 });
    expect(take(client, { events: 8 })).toBe(0);
    const seconds = take(client, { events: 5 });
    expect(seconds).toBeCloseTo(0.3);
    wait(seconds * 1000 - 5);
    expect(take(client, { events: 5 })).toBeGreaterThan(0);
    wait(5);
    expect(take(client, { events: 5 })).toBe(0);
  });

  it("accept a whole call or refuse it", () => {
    const { take } = setUp();
    const client = caller({ eventsPerSecond: 10, bytesPerSecond: 100 });
    expect(take(client, { events: 5, bytes: 100 })).toBe(0);
    expect(take(client, { events: 5, bytes: 1 })).toBeGreaterThan(0);
    expect(take(client, { events: 5 })).toBe(0);
  });

  it("accept a call that is larger than the unused bucket, and delay later calls", () => {
    const { take, wait } = setUp();
    const client = caller({ eventsPerSecond: 10 });
    expect(take(client, { events: 100 })).toBe(0);
    expect(take(client, { events: 1 })).toBeCloseTo(9.1);
    wait(9100);
    expect(take(client, { events: 1 })).toBe(0);
  });

  it("limit the wait to the maximum debt, also after a large event", () => {
    const { rates, take, wait } = setUp({ bytesPerSecond: 10 });
    const client = caller({ eventsPerSecond: 10, bytesPerSecond: 10 });
    expect(take(client, { events: 1, bytes: 1e9 })).toBe(0);
    expect(take(client, { events: 1, bytes: 1 })).toBeLessThanOrEqual(60);
    expect(take(caller({}), { events: 1, bytes: 1 })).toBeLessThanOrEqual(60);
    expect(rates.quota(client)?.reset).toBeLessThanOrEqual(60);
    wait(60_000);
    expect(take(client, { events: 1, bytes: 1 })).toBe(0);
  });

  it.each([
    ["events", { eventsPerSecond: 100 }, { events: 6001, bytes: 0 }, 6000],
    ["bytes", { bytesPerSecond: 100 }, { events: 10, bytes: 60_000 }, 1],
    ["bytes of several events", { bytesPerSecond: 100 }, { events: 10, bytes: 12_000 }, 5],
  ])(
    "refuse a call with more %s than the maximum debt, with the number that fits",
    (_, limits, demand, most) => {
      const { rates } = setUp();
      const client = caller(limits);
      const refused = rates.take(client, { requests: 0, ...demand });
      expect([refused?.code, refused?.message]).toEqual([
        "EVENTS_TOO_MANY",
        expect.stringContaining(` ${most} `),
      ]);
      const events = Math.min(most, demand.events);
      expect(rates.take(client, { requests: 0, events, bytes: demand.bytes / 10 })).toBeUndefined();
    },
  );

  it("return a refusal in advance without taking", () => {
    const { rates } = setUp();
    const client = caller({ eventsPerSecond: 2 });
    const demand = { requests: 0, events: 2, bytes: 0 };
    expect(rates.refusal(client, demand)).toBeUndefined();
    expect(rates.take(client, demand)).toBeUndefined();
    expect(rates.refusal(client, demand)?.code).toBe("RATE_LIMITED");
  });

  it("count the demand of a refused call, up to the maximum debt", () => {
    const { rates, take } = setUp();
    const client = caller({ bytesPerSecond: 10 });
    rates.spend(client, { requests: 0, events: 0, bytes: 25 });
    expect(take(client, { events: 1, bytes: 1 })).toBeCloseTo(1.6);
    rates.spend(client, { requests: 0, events: 0, bytes: 1e9 });
    expect(take(client, { events: 1, bytes: 1 })).toBeLessThanOrEqual(60);
  });

  it("count each principal separately, with all its tokens", () => {
    const { take } = setUp();
    const limits = { eventsPerSecond: 1 };
    expect(take(caller(limits), { events: 1 })).toBe(0);
    expect(take(caller(limits), { events: 1 })).toBeGreaterThan(0);
    expect(take(caller(limits, { name: "other" }), { events: 1 })).toBe(0);
  });

  it("limit an address over all its callers", () => {
    const { take } = setUp({ requestsPerSecond: 2 });
    expect(take(caller({}, { name: "a" }), { requests: 1 })).toBe(0);
    expect(take(caller({}, { name: "b" }), { requests: 1 })).toBe(0);
    expect(take(caller({}, { name: "c" }), { requests: 1 })).toBeGreaterThan(0);
    expect(take(caller({}, { address: "10.0.0.2" }), { requests: 1 })).toBe(0);
  });

  it("remember a bounded number of addresses", () => {
    const { take } = setUp({ requestsPerSecond: 1 }, 2);
    for (const address of ["a", "b", "c"]) expect(take(caller({}, { address }), { requests: 1 })).toBe(0);
    expect(take(caller({}, { address: "c" }), { requests: 1 })).toBeGreaterThan(0);
    expect(take(caller({}, { address: "a" }), { requests: 1 })).toBe(0);
  });

  it("return the remaining quota of the tightest limit", () => {
    const { rates, take, wait } = setUp({ requestsPerSecond: 1000 });
    const client = caller({ eventsPerSecond: 10, bytesPerSecond: 1000, burst: 2000 });
    take(client, { requests: 1, events: 15, bytes: 100 });
    expect(rates.quota(client)).toEqual({ limit: 20, remaining: 5, reset: 2 });
    wait(1500);
    expect(rates.quota(client)).toMatchObject({ limit: 20, remaining: 20, reset: 0 });
  });
});
