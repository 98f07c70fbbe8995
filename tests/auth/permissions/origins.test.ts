import fc from "fast-check";
import { narrowOrigins, normaliseOrigin, originList, requireOrigin } from "../../../src/auth/permissions.ts";
import { verifiedPrincipal } from "../../../src/auth/principal.ts";
import { GatewayError } from "../../../src/errors.ts";

const isAllowed = (origins: readonly string[], origin: string | undefined): boolean => {
  const principal = verifiedPrincipal({
    kind: "account",
    name: "a",
    mayProduce: () => true,
    mayConsume: () => true,
    origins,
    limits: {},
  });
  try {
    requireOrigin(principal, origin);
    return true;
  } catch (error) {
    expect(error).toMatchObject({ code: "ORIGIN_FORBIDDEN" });
    expect(error).toBeInstanceOf(GatewayError);
    return false;
  }
};

describe("origins", () => {
  it.each([
    ["https://Shop.Example", "https://shop.example"],
    ["https://shop.example:443", "https://shop.example"],
    ["http://shop.example:8080/", "http://shop.example:8080"],
    ["chrome-extension://abcdef", "chrome-extension://abcdef"],
    ["capacitor://localhost", "capacitor://localhost"],
    ["*", "*"],
    ["null", "null"],
  ])("%s is %s", (text, origin) => {
    expect(normaliseOrigin(text)).toBe(origin);
  });

  it.each([
    "",
    "shop.example",
    "https://shop.example/page",
    "https://u@shop.example",
    "https://*.example",
    "data:x",
  ])("refuses %p as an origin", (text) => {
    expect(normaliseOrigin(text)).toBeUndefined();
    expect(() => originList([text])).toThrow("is not an origin");
  });

  const list = originList(["https://shop.example", "http://Localhost:5173"]);
  it.each([
    ["https://shop.example", true],
    ["https://SHOP.example", true],
    ["https://shop.example:443", true],
    ["http://localhost:5173", true],
    ["http://shop.example", false],
    ["https://shop.example:8443", false],
    ["https://shop.example.evil.example", false],
    ["https://evil.example", false],
    ["null", false],
    ["*", false],
    ["", false],
    [undefined, false],
  ])("a list allows %p: %s", (origin, expected) => {
    expect(isAllowed(list, origin)).toBe(expected);
  });

  it("allows a request without an origin if there is no list, and refuses it if the list is *", () => {
    expect(isAllowed([], undefined)).toBe(true);
    expect(isAllowed([], "https://anywhere.example")).toBe(true);
    expect(isAllowed(["*"], "https://anywhere.example")).toBe(true);
    expect(isAllowed(["*"], undefined)).toBe(false);
  });

  it("narrowing allows exactly the origins that both lists allow", () => {
    const origin = fc.constantFrom("https://a.example", "https://b.example", "*");
    const lists = fc.uniqueArray(origin);
    const caller = fc.constantFrom(
      "https://a.example",
      "https://b.example",
      "https://c.example",
      "",
      undefined,
    );
    fc.assert(
      fc.property(lists, lists, caller, (allowed, wanted, from) => {
        expect(isAllowed(narrowOrigins(allowed, wanted), from)).toBe(
          isAllowed(allowed, from) && isAllowed(wanted, from),
        );
      }),
      { numRuns: 2000 },
    );
  });
});
