import { createRights, type RightsOptions } from "../../../src/auth/issuers/rights.ts";
import { compileReadable, mayRead, mayUseStation, requireStation } from "../../../src/auth/permissions.ts";
import type { Principal } from "../../../src/auth/principal.ts";
import { failureOf } from "../support.ts";
import type { Json } from "./support.ts";

const ENTRY: RightsOptions = {
  name: "corp",
  mapping: [],
  stations: [],
  consume: [],
  origins: [],
  limits: {},
};

const principalOf = (entry: Partial<RightsOptions>, claims: Json = {}): Principal =>
  createRights({ ...ENTRY, ...entry })(claims, "ann").principal;

const NAMES = ["orders", "clicks-1", "payroll"];

const rightsOf = (principal: Principal) => ({
  produce: NAMES.filter((name) => mayUseStation(principal, "produce", name)),
  consume: NAMES.filter((name) => mayUseStation(principal, "consume", name)),
  stream: NAMES.filter((name) => mayUseStation(principal, "stream", name)),
});

const rights = (produce: readonly string[], consume: readonly string[], stream = consume) => ({
  produce,
  consume,
  stream,
});

describe("the rights of a token", () => {
  it("are those of the entry without claims", () => {
    const entry = { stations: ["orders"], consume: ["clicks-*"] };
    expect(rightsOf(principalOf(entry, { stations: ["payroll"] }))).toEqual(rights(["orders"], ["clicks-1"]));
    expect(rightsOf(principalOf({}))).toEqual(rights([], []));
  });

  it.each([
    ["a list", ["orders", "clicks-*"]],
    ["a text", "orders clicks-*"],
  ])("are narrowed by the claim of patterns, as %s", (_, value) => {
    const entry = { stations: ["*"], consume: ["orders"], stationsClaim: "may" };
    expect(rightsOf(principalOf(entry, { may: value }))).toEqual(rights(["orders", "clicks-1"], ["orders"]));
  });

  it("never exceed those of the entry", () => {
    const entry = {
      stations: ["clicks-*"],
      consume: ["clicks-*"],
      stationsClaim: "may",
      consumeClaim: "see",
    };
    expect(rightsOf(principalOf(entry, { may: "*", see: ["*"] }))).toEqual(
      rights(["clicks-1"], ["clicks-1"]),
    );
  });

  it("allow no station if the claim is absent or has no texts", () => {
    const entry = { stations: ["*"], consume: ["*"], stationsClaim: "may", consumeClaim: "see" };
    for (const value of [undefined, null, 7, {}, [], "", [["orders"]]])
      expect(rightsOf(principalOf(entry, { may: value, see: value }))).toEqual(rights([], []));
  });

  it.each(["Orders", "or ders", "orders/", "x".repeat(129), "", "órders"])(
    "allow no station for %s, because it is not a station pattern",
    (pattern) => {
      const entry = { stations: ["*"], stationsClaim: "may" };
      const principal = principalOf(entry, { may: [pattern] });
      expect([pattern, pattern.toLowerCase(), ...NAMES].filter((name) => principal.mayProduce(name))).toEqual(
        [],
      );
    },
  );

  it("come from the values that mapping names", () => {
    const mapping = [
      { claim: "groups", value: "shop", stations: ["orders"], consume: [] },
      { claim: "groups", value: "web team", stations: ["clicks-*"], consume: ["clicks-*"] },
      { claim: "/realm/roles", value: "pay", stations: [], consume: ["payroll"] },
    ];
    const entry = { stations: ["*"], consume: ["*"], mapping };
    const of = (claims: Json) => rightsOf(principalOf(entry, claims));
    expect(of({ groups: ["shop", "web team"] })).toEqual(rights(["orders", "clicks-1"], ["clicks-1"]));
    expect(of({ groups: "shop web team" })).toEqual(rights(["orders"], []));
    expect(of({ realm: { roles: "pay" } })).toEqual(rights([], ["payroll"]));
    expect(of({ groups: ["Shop"] })).toEqual(rights([], []));
    expect(of({})).toEqual(rights([], []));
  });

  it("come from the claim and from mapping together", () => {
    const mapping = [{ claim: "groups", value: "shop", stations: ["orders"], consume: [] }];
    const entry = { stations: ["*"], stationsClaim: "may", mapping };
    expect(rightsOf(principalOf(entry, { may: "payroll", groups: "shop" })).produce).toEqual([
      "orders",
      "payroll",
    ]);
  });

  it.each([
    [{ scope: "openid events:produce" }, rights(NAMES, [])],
    [{ scp: ["events:consume"] }, rights([], NAMES)],
    [{ scp: "events:stream" }, rights([], [], NAMES)],
    [{ scope: "events:produce", scp: "events:consume" }, rights(NAMES, NAMES)],
    [{ scope: "produce consume" }, rights([], [])],
    [{ scope: "events:producer" }, rights([], [])],
    [{}, rights([], [])],
  ])("with scopePrefix are the actions of the scope %j", (claims, expected) => {
    const entry = { stations: ["*"], consume: ["*"], scopePrefix: "events:" };
    expect(rightsOf(principalOf(entry, claims))).toEqual(expected);
  });

  it("to read can be sent to another process", () => {
    const entry = { consume: ["clicks-*", "orders"], consumeClaim: "see" };
    const readable = (claims: Json, more: Partial<RightsOptions> = {}) => {
      const principal = principalOf({ ...entry, ...more }, claims);
      const lists = JSON.parse(JSON.stringify(principal.readable)) as string[][];
      return { names: NAMES.filter(compileReadable(lists)), may: mayRead(principal) };
    };
    expect(readable({ see: "orders payroll" })).toEqual({ names: ["orders"], may: true });
    expect(readable({})).toEqual({ names: [], may: false });
    expect(readable({ see: "*" }, { scopePrefix: "e:" })).toEqual({ names: [], may: false });
  });
});

describe("the principal of a token", () => {
  it("is named by the entry and the subject, with the entry's groups, origins and limits", () => {
    const limits = { eventsPerSecond: 5 };
    const principal = principalOf({ groups: ["etl-*"], origins: ["https://Shop.example"], limits });
    expect(principal).toMatchObject({ kind: "issuer", name: "corp:ann", origins: ["https://shop.example"] });
    expect(principal.limits).toBe(limits);
    expect([principal.readsGroup?.("etl-1"), principal.readsGroup?.("billing")]).toEqual([true, false]);
    expect(principalOf({}).readsGroup).toBeUndefined();
  });

  it("gets a reason in the log with its 403 if the issuer left a claim with rights out", async () => {
    const mapping = [{ claim: "groups", value: "shop", stations: ["orders"], consume: [] }];
    const entry = { stations: ["*"], mapping };
    const forbidden = (claims: Json) =>
      failureOf(() => {
        requireStation(principalOf(entry, claims), "produce", "orders");
      });
    expect(await forbidden({ hasgroups: true })).toMatchObject({
      code: "STATION_FORBIDDEN",
      message: "user corp:ann is not allowed to access station orders",
      cause: "groups not in the token",
    });
    expect((await forbidden({ groups: [] })).cause).toBeUndefined();
  });

  it("compiles a thousand patterns only when they are needed", () => {
    const patterns = Array.from({ length: 1000 }, (_, i) => `*a${i}*b*`);
    const principal = principalOf({ stations: ["*"], stationsClaim: "may" }, { may: patterns });
    expect(principal.mayProduce("xa7yb")).toBe(true);
    expect(principal.mayProduce("xc7yb")).toBe(false);
  });
});
