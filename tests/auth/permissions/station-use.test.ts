import { compileStationPatterns, mayUseStation, requireStation } from "../../../src/auth/permissions.ts";
import { verifiedPrincipal } from "../../../src/auth/principal.ts";
import { failureOf } from "../support.ts";

const principal = verifiedPrincipal({
  kind: "account",
  name: "app",
  mayProduce: compileStationPatterns(["orders"]),
  mayConsume: compileStationPatterns(["audit"]),
  origins: [],
  limits: {},
});

describe("the right to use a station", () => {
  it.each([
    ["produce", "orders", true],
    ["produce", "Orders", true],
    ["produce", "audit", false],
    ["consume", "audit", true],
    ["consume", "AUDIT", true],
    ["consume", "orders", false],
    ["see", "orders", true],
    ["see", "Audit", true],
    ["see", "other", false],
  ] as const)("%s %s: %s", (use, station, allowed) => {
    expect(mayUseStation(principal, use, station)).toBe(allowed);
  });

  it("is refused with the text of the Memphis API", async () => {
    const failure = await failureOf(() => {
      requireStation(principal, "produce", "audit");
    });
    expect(failure).toMatchObject({
      code: "STATION_FORBIDDEN",
      message: "user app is not allowed to access station audit",
    });
  });
});
