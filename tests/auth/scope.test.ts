import fc from "fast-check";
import { createAccounts } from "../../src/auth/accounts.ts";
import { compileStationPatterns, mayUseStation } from "../../src/auth/permissions.ts";
import { narrowedPrincipal, parseScope, type Scope } from "../../src/auth/scope.ts";
import { failureOf, present } from "./support.ts";

const accountOf = (options: object) => present(createAccounts([{ username: "ann", ...options }]).find("ann"));

describe("a scope from a client", () => {
  it.each([
    [undefined, {}],
    [{}, {}],
    [
      { stations: ["clicks"], actions: ["produce"], origins: ["https://Shop.example:443"] },
      { stations: ["clicks"], actions: ["produce"], origins: ["https://shop.example"] },
    ],
  ])("%j is accepted", (given, scope) => {
    expect(parseScope(given)).toEqual(scope);
  });

  it.each([
    [null],
    ["clicks"],
    [["clicks"]],
    [{ station: ["clicks"] }],
    [{ stations: "clicks" }],
    [{ stations: [] }],
    [{ stations: [7] }],
    [{ stations: ["a/b"] }],
    [{ actions: [] }],
    [{ actions: ["admin"] }],
    [{ origins: [] }],
    [{ origins: ["shop.example"] }],
    [{ origins: ["https://shop.example/page"] }],
    [{ stations: Array.from({ length: 1000 }, () => "clicks") }],
    [{ stations: Array.from({ length: 2000 }, () => "a/b") }],
  ])("%j is refused", async (given) => {
    const error = await failureOf(() => parseScope(given));
    expect(error).toMatchObject({ code: "SCOPE_INVALID", status: 400 });
    expect(error.message).toMatch(/^scope/);
  });
});

it.each([
  ["no scope", "scope: must be an object with stations, actions or origins"],
  [{ station: ["a"] }, 'scope: has the unknown field "station", allowed: stations, actions, origins'],
  [{ stations: "clicks" }, "scope.stations: must be a non-empty list of station names or patterns"],
  [{ stations: [] }, "scope.stations: must be a non-empty list of station names or patterns"],
  [{ stations: ["a", "a/b"] }, 'scope.stations.1: must be a station name or pattern (got "a/b")'],
  [{ stations: [7] }, "scope.stations.0: must be a string"],
  [{ actions: ["admin"] }, 'scope.actions.0: must be produce, consume or stream (got "admin")'],
  [{ origins: ["x"] }, 'scope.origins.0: must be an origin such as https://shop.example (got "x")'],
])("says what is wrong in the scope %j", async (given, text) => {
  expect((await failureOf(() => parseScope(given))).message).toBe(text);
});

it("reports only the first fault of a large scope", async () => {
  const wrong = Array.from({ length: 1_000_000 }, () => 7);
  const fields = Object.fromEntries(Array.from({ length: 100_000 }, (_, n) => [`f${n}`, 1]));
  const before = process.cpuUsage();
  for (const given of [{ stations: wrong }, { origins: wrong.slice(0, 2000) }, fields]) {
    const error = await failureOf(() => parseScope(given));
    expect(error.code).toBe("SCOPE_INVALID");
    expect(error.message.length).toBeLessThan(100);
  }
  expect(process.cpuUsage(before).user).toBeLessThan(1_000_000);
});

describe("a principal narrowed by a scope", () => {
  const stations = ["orders", "clicks", "clicks-web", "other"];
  const callers = ["https://a.example", "https://b.example"];
  const patterns = fc.uniqueArray(fc.constantFrom("*", "orders", "clicks", "clicks-*", "*e*"));
  const origins = fc.uniqueArray(fc.constantFrom("*", ...callers));
  const accounts = fc.record({ stations: patterns, consume: patterns, origins }).map(accountOf);
  const orAbsent = <T>(values: fc.Arbitrary<T[]>) =>
    fc.option(
      values.filter((value) => value.length > 0),
      { nil: undefined },
    );
  const scopes: fc.Arbitrary<Scope> = fc.record({
    stations: orAbsent(patterns),
    actions: orAbsent(
      fc.uniqueArray(fc.constantFrom("produce" as const, "consume" as const, "stream" as const)),
    ),
    origins: orAbsent(origins),
  });
  const letsIn = (list: readonly string[], caller: string) =>
    list.length === 0 || list.includes("*") || list.includes(caller);

  it("allows exactly what both the account and the scope allow", () => {
    fc.assert(
      fc.property(accounts, scopes, fc.constantFrom(...stations), (account, scope, station) => {
        const principal = narrowedPrincipal(account, scope);
        const inScope = compileStationPatterns(scope.stations ?? ["*"])(station);
        const allows = (...actions: ("produce" | "consume" | "stream")[]) =>
          inScope && actions.some((action) => scope.actions?.includes(action) ?? true);
        expect(principal.mayProduce(station)).toBe(account.mayProduce(station) && allows("produce"));
        expect(principal.mayConsume(station)).toBe(account.mayConsume(station) && allows("consume"));
        expect(mayUseStation(principal, "stream", station)).toBe(
          account.mayConsume(station) && allows("consume", "stream"),
        );
      }),
      { numRuns: 4000 },
    );
  });

  it("allows exactly the origins that both the account and the scope allow", () => {
    fc.assert(
      fc.property(accounts, scopes, fc.constantFrom(...callers), (account, scope, caller) => {
        const principal = narrowedPrincipal(account, scope);
        expect(letsIn(principal.origins, caller)).toBe(
          letsIn(account.origins, caller) && letsIn(scope.origins ?? [], caller),
        );
      }),
      { numRuns: 2000 },
    );
  });

  it("keeps the account's name and limits", () => {
    const limits = { eventsPerSecond: 5 };
    const principal = narrowedPrincipal(accountOf({ limits }), {});
    expect(principal).toMatchObject({ kind: "account", name: "ann", limits });
  });
});
