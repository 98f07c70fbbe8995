/** The name and the role that claims give. */
import { createClaimed } from "../../../src/auth/oidc/claimed.ts";
import { PROVIDER } from "./support.ts";

const claimed = createClaimed(PROVIDER);

describe("the role", () => {
  it.each([
    ["the highest one", { groups: ["staff", "ops"] }, "operator"],
    ["one of a text", { groups: "x  admins" }, "admin"],
    ["none without a known value", { groups: ["Ops", "operators"] }, undefined],
    ["none for a number", { groups: 7 }, undefined],
    ["none for null", { groups: null }, undefined],
    ["none for an object", { groups: { ops: true } }, undefined],
    ["none for lists in the list", { groups: [["ops"]] }, undefined],
    ["none without the claim", {}, undefined],
    ["that of the first 1,000 values", { groups: [...Array<string>(1000).fill("x"), "ops"] }, undefined],
  ])("is %s", (_, claims, role) => {
    expect(claimed.roleOf(claims)).toBe(role);
  });

  it("can be inside another claim", () => {
    const nested = createClaimed({ ...PROVIDER, rolesClaim: "/realm_access/roles" });
    expect(nested.roleOf({ realm_access: { roles: ["admins"] } })).toBe("admin");
    expect(nested.hasRoles({ realm_access: {} })).toBe(false);
  });

  it("is known if the claim is there, also an empty one", () => {
    expect([{ groups: [] }, { groups: null }, {}].map(claimed.hasRoles)).toEqual([true, true, false]);
  });
});

describe("the name", () => {
  it.each([
    ["of the first claims that have one", [{}, { preferred_username: "Ann" }], "Ann"],
    ["of the ID token", [{ preferred_username: "Ann" }, { preferred_username: "Eve" }], "Ann"],
    ["the subject without a claim", [{}], "sub-1"],
    ["the subject if the name is empty", [{ preferred_username: " " }], "sub-1"],
    ["the subject if the name has control characters", [{ preferred_username: "Ann\n" }], "sub-1"],
    ["the subject if the name turns the text around", [{ preferred_username: "\u202eAnn" }], "sub-1"],
    ["the subject if the name is no text", [{ preferred_username: ["Ann"] }], "sub-1"],
  ])("is %s", (_, claims, name) => {
    expect(claimed.nameOf("sub-1", ...claims)).toBe(name);
  });
});
