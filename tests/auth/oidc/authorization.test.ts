/** The path to go to after the sign-in, and the sealed sign-in. */
import { newSignIn, openSignIn, returnPathOf, sealSignIn } from "../../../src/auth/oidc/authorization.ts";
import { createSealer } from "../../../src/auth/operators/sealer.ts";

const NOW = 1_700_000_000_500;
const sealer = createSealer(["the secret of the seals"], "sign-in");

describe("the path to go to", () => {
  it.each(["/", "/#/stations/orders", "/docs?a=b&c=//d", "/ü", "/a//b", `/${"a".repeat(511)}`])(
    "is %s",
    (path) => {
      expect(returnPathOf(path)).toBe(path);
    },
  );

  it.each([
    null,
    "",
    "stations",
    "https://evil.example/",
    "//evil.example",
    "/\\evil.example",
    "/a\\b",
    "/\t/evil.example",
    "/\n",
    "\t//evil.example",
    " //evil.example",
    "/a\u0085b",
    "/\ud800",
    `/${"a".repeat(512)}`,
  ])("is / for %j", (path) => {
    expect(returnPathOf(path)).toBe("/");
  });
});

describe("the sealed sign-in", () => {
  it("is opened with the same secret only", () => {
    const signIn = newSignIn("/docs", NOW);
    const sealed = sealSignIn(sealer, signIn);
    expect(openSignIn(sealer, sealed)).toEqual(signIn);
    expect(signIn.end).toBe(1_700_000_600);
    expect(openSignIn(createSealer(["another secret"], "sign-in"), sealed)).toBeUndefined();
    expect(openSignIn(createSealer(["the secret of the seals"], "session"), sealed)).toBeUndefined();
    expect(openSignIn(sealer, sealer.seal({ state: "x" }))).toBeUndefined();
  });

  it.each([
    ["a long path", `/${"a".repeat(511)}`, true],
    ["a path of wide characters", `/${"語".repeat(511)}`, false],
    ["a path of quotes", `/${'"'.repeat(511)}`, false],
  ])("has at most 1,300 characters with %s", (_, path, isKept) => {
    const sealed = sealSignIn(sealer, newSignIn(path, NOW));
    expect(sealed.length).toBeLessThanOrEqual(1300);
    expect(openSignIn(sealer, sealed)?.returnTo).toBe(isKept ? path : "/");
  });
});
