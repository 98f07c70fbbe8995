import fc from "fast-check";
import { compilePatterns, groupOf } from "../../../src/auth/permissions.ts";
import { failureOf } from "../support.ts";

const reader = (name: string, groups?: readonly string[]) => ({
  name,
  readsGroup: groups && compilePatterns(groups),
});

describe("a principal without groups", () => {
  const shop = reader("shop");

  it("gets a group with its own name, and private groups", () => {
    expect(groupOf(shop, undefined)).toBe("stationgate-shop");
    expect(groupOf(shop, "billing")).toBe("stationgate-shop/billing");
    expect(groupOf(reader("a@b.example"), undefined)).toBe("stationgate-a@b.example");
    expect(groupOf(reader("a@b.example"), "g/h")).toBe("stationgate-a%40b.example/g/h");
  });

  it("never shares a group with another principal", () => {
    const name = fc.stringMatching(/^[ab/%25F]{1,6}$/);
    const group = fc.option(fc.stringMatching(/^[ab/%25F]{1,6}$/), { nil: undefined });
    fc.assert(
      fc.property(name, group, name, group, (one, ofOne, other, ofOther) => {
        fc.pre(one !== other);
        expect(groupOf(reader(one), ofOne)).not.toBe(groupOf(reader(other), ofOther));
      }),
    );
  });
});

describe("a principal with groups", () => {
  const etl = reader("etl", ["billing", "etl-*"]);

  it("uses the named groups by their Kafka names", () => {
    expect(groupOf(etl, "billing")).toBe("billing");
    expect(groupOf(etl, "etl-Ä/1")).toBe("etl-Ä/1");
    expect(groupOf(etl, undefined)).toBe("stationgate-etl");
  });

  it.each(["Billing", "billing2", "ETL-1", "other"])("is refused the group %s", async (group) => {
    const error = await failureOf(() => groupOf(etl, group));
    expect(error).toMatchObject({ code: "GROUP_FORBIDDEN", status: 403 });
    expect((error as Error).message).toContain('"groups"');
  });

  it("is refused every group if its list is empty", async () => {
    expect(await failureOf(() => groupOf(reader("none", []), "g"))).toMatchObject({
      code: "GROUP_FORBIDDEN",
    });
  });
});

it.each([
  "connect-crm",
  "connect-",
  "stationgate-billing",
  "stationgate-reader-1",
  "_stationgate",
  "_stationgate-readers",
  "group-callback-api",
  "group-client-status-callback",
  "group-client-status-callback-w",
])("refuses the reserved group %s to every principal", async (group) => {
  for (const groups of [undefined, ["*"], [group]]) {
    const error = await failureOf(() => groupOf(reader("root", groups), group));
    expect(error).toMatchObject({
      code: "GROUP_FORBIDDEN",
      message: expect.stringContaining('"groups"') as string,
    });
  }
});

it.each(["connect", "Connect-crm", "group-callback-api2", "my-stationgate-group"])(
  "does not reserve the group %s",
  (group) => {
    expect(groupOf(reader("root", ["*"]), group)).toBe(group);
  },
);

it.each(["a\nb", "a\u0000", "\ud800", "\u0085"])(
  "refuses a group name with control characters: %j",
  async (group) => {
    for (const groups of [undefined, ["*"]])
      expect(await failureOf(() => groupOf(reader("root", groups), group))).toMatchObject({
        code: "REQUEST_INVALID",
        message: expect.stringContaining("consumer_group") as string,
      });
  },
);

it("refuses a group name that is too long for the embedded log", async () => {
  const error = await failureOf(() => groupOf(reader("名".repeat(128)), "名".repeat(249)));
  expect(error).toMatchObject({
    code: "REQUEST_INVALID",
    message: expect.stringContaining("1500 bytes") as string,
  });
  expect(groupOf(reader("名".repeat(128)), "x".repeat(249))).toHaveLength(12 + 9 * 128 + 1 + 249);
});
