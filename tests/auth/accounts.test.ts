import { accountName, createAccounts } from "../../src/auth/accounts.ts";
import { cheapHash, codeOf } from "./support.ts";

const only = (options: object) => createAccounts([{ username: "ann", ...options }]).find("ann");

describe("accounts", () => {
  it("finds an account by its exact name", () => {
    const accounts = createAccounts([{ username: "ann" }, { username: "bob" }]);
    expect(accounts.find("bob")?.username).toBe("bob");
    expect(accounts.find("Bob")).toBeUndefined();
    expect(accounts.find("__proto__")).toBeUndefined();
  });

  it("allows the stations of its patterns, and no station without patterns", () => {
    const account = only({ stations: ["orders", "clicks-*"], consume: ["orders"] });
    expect(account?.mayProduce("clicks-web")).toBe(true);
    expect(account?.mayConsume("clicks-web")).toBe(false);
    expect(account?.mayConsume("orders")).toBe(true);
    expect(only({})?.mayProduce("orders")).toBe(false);
  });

  it.each([
    ["two accounts with one name", [{ username: "ann" }, { username: "ann" }]],
    ["an empty secret", [{ username: "ann", password: "" }]],
    ["a hash other than scrypt", [{ username: "ann", connectionToken: "$2b$10$xxxx" }]],
    ["an invalid pattern", [{ username: "ann", stations: ["a/b"] }]],
    ["an invalid origin", [{ username: "ann", origins: ["shop"] }]],
  ])("refuses %s at the start", async (_what, options) => {
    expect(await codeOf(() => createAccounts(options))).toBe("SETTINGS_INVALID");
  });

  it("changes the credential digest when a secret changes or moves to the other field", () => {
    const credentials = [
      {},
      { password: "one" },
      { password: "two" },
      { connectionToken: "one" },
      { connectionToken: "one", password: "one" },
      { password: cheapHash("one") },
    ].map((options) => only(options)?.credential.toString("hex"));
    expect(new Set(credentials).size).toBe(credentials.length);
    expect(only({ password: "one", stations: ["*"] })?.credential.toString("hex")).toBe(credentials[1]);
  });

  it.each([
    ["ann", undefined, "ann", undefined],
    ["ann", 3, "ann", 3],
    ["ann$7", undefined, "ann", 7],
    ["ann$7", 3, "ann", 7],
    ["a$b$7", undefined, "a$b", 7],
    ["ann$", 3, "ann$", 3],
    ["$7", undefined, "$7", undefined],
    ["ann$x", undefined, "ann$x", undefined],
    ["ann$9999999999999999999", undefined, "ann$9999999999999999999", undefined],
  ])("%s with account id %p is %s of %p", (text, given, username, accountId) => {
    expect(accountName(text, given)).toEqual({ username, accountId });
  });
});
