import { claimReader, isLeftOut, textsOf } from "../../../src/auth/issuers/claims.ts";

const read = (name: string, claims: Record<string, unknown>): unknown => claimReader(name)(claims);

describe("a claim", () => {
  it.each([
    ["groups", { groups: ["a"] }, ["a"]],
    ["https://shop.example/roles", { "https://shop.example/roles": "x" }, "x"],
    ["a.b", { "a.b": 1, a: { b: 2 } }, 1],
    ["/realm_access/roles", { realm_access: { roles: ["a"] } }, ["a"]],
    ["/a~1b/c~0d", { "a/b": { "c~d": "x" } }, "x"],
    ["/a/1", { a: ["x", "y"] }, "y"],
    ["/", { "": "x" }, "x"],
  ])("named %s is read", (name, claims, value) => {
    expect(read(name, claims)).toEqual(value);
  });

  it.each([
    ["groups", {}],
    ["toString", {}],
    ["__proto__", {}],
    ["/constructor/name", {}],
    ["/a/length", { a: ["x"] }],
    ["/a/01", { a: ["x", "y"] }],
    ["/a/-", { a: ["x"] }],
    ["/a/b", { a: "text" }],
    ["/a/b/c", { a: null }],
  ])("named %s is absent in %j", (name, claims) => {
    expect(read(name, claims)).toBeUndefined();
  });

  it("has the texts of a list, or of a text that is split at spaces", () => {
    expect(textsOf(["a b", 7, null, "c"])).toEqual(["a b", "c"]);
    expect(textsOf(" a  b\tc d")).toEqual(["a", "b\tc", "d"]);
    for (const value of [undefined, null, 7, true, { a: 1 }]) expect(textsOf(value)).toEqual([]);
  });

  it("has at most 1,000 values", () => {
    const many = Array.from({ length: 1500 }, (_, i) => `v${i}`);
    expect(textsOf(many)).toEqual(many.slice(0, 1000));
    expect(textsOf(many.join(" "))).toEqual(many.slice(0, 1000));
  });

  it("is left out if the issuer says so and the token has no such claim", () => {
    const groups = claimReader("groups");
    const source = { _claim_names: { groups: "src1" }, _claim_sources: { src1: {} } };
    expect(isLeftOut(source, groups)).toBe(true);
    expect(isLeftOut({ hasgroups: true }, groups)).toBe(true);
    expect(isLeftOut({ hasgroups: "true" }, groups)).toBe(true);
    expect(isLeftOut({ ...source, groups: [] }, groups)).toBe(false);
    expect(isLeftOut({ hasgroups: false }, groups)).toBe(false);
    expect(isLeftOut({ hasgroups: true }, claimReader("roles"))).toBe(false);
    expect(isLeftOut({ _claim_names: "groups" }, groups)).toBe(false);
    expect(isLeftOut({ _claim_names: { access: "src1" } }, claimReader("/access/roles"))).toBe(true);
    expect(isLeftOut({}, claimReader("toString"))).toBe(false);
  });
});
