import jwt from "jsonwebtoken";
import { type AuthenticationOptions, createAuthentication } from "../../src/auth/authentication.ts";
import type { SignInRequest } from "../../src/auth/session.ts";
import { cheapHash, codeOf, createClock, failureOf, present } from "./support.ts";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const ADDRESS = "192.0.2.1";

const clock = createClock();

const setUp = (options: Partial<AuthenticationOptions> = {}) => {
  const { sessions, authenticate } = createAuthentication({
    accounts: [
      { username: "ann", connectionToken: "ann-token", stations: ["*"], consume: ["*"] },
      { username: "bob", password: cheapHash("bob-password") },
    ],
    apiKeys: [],
    accessToken: {
      secrets: [{ kid: "a", secret: "an access secret of more than 32 bytes" }],
      ttl: 15 * MINUTE,
      maxTtl: 24 * HOUR,
    },
    refreshToken: {
      secrets: [{ kid: "r", secret: "a refresh secret of more than 32 bytes" }],
      ttl: 5 * HOUR,
      maxTtl: 30 * 24 * HOUR,
    },
    issuer: "stationgate",
    audience: "stationgate",
    loginFailuresPerMinute: 10,
    admin: { tokens: [], sessionTtl: 1000, failuresPerMinute: 10 },
    now: clock.now,
    ...options,
  });
  const signIn = (request: Partial<SignInRequest> = {}) =>
    sessions.signIn({ username: "ann", connectionToken: "ann-token", address: ADDRESS, ...request });
  const principalOf = (token: string) =>
    authenticate({ authorizationHeader: `Bearer ${token}`, address: ADDRESS });
  return { sessions, signIn, principalOf };
};

const claimsOf = (token: string) => jwt.decode(token) as jwt.JwtPayload;

describe("signing in", () => {
  it("returns a token pair with the default lifetimes", async () => {
    const { signIn, principalOf } = setUp();
    const pair = await signIn();
    const refresh = present(pair.refresh);
    expect([pair.expiresInMs, refresh.expiresInMs]).toEqual([900_000, 18_000_000]);
    const [access, long] = [claimsOf(pair.jwt), claimsOf(refresh.jwt)];
    expect([present(access.exp) - present(access.iat), present(long.exp) - present(long.iat)]).toEqual([
      900, 18_000,
    ]);
    expect(await principalOf(pair.jwt)).toMatchObject({ name: "ann" });
  });

  it("grants the requested lifetimes, and the defaults for zero or less", async () => {
    const { signIn } = setUp();
    const asked = await signIn({ accessTtlMinutes: 1, refreshTtlMinutes: 43_200 });
    expect([asked.expiresInMs, asked.refresh?.expiresInMs]).toEqual([MINUTE, 43_200 * MINUTE]);
    const defaults = await signIn({ accessTtlMinutes: 0, refreshTtlMinutes: -5 });
    expect([defaults.expiresInMs, defaults.refresh?.expiresInMs]).toEqual([900_000, 18_000_000]);
  });

  it.each([1441, 6_000_000, Number.MAX_VALUE])(
    "grants the maximum lifetime for %d minutes, and returns it",
    async (minutes) => {
      const { sessions, signIn } = setUp();
      const wanted = { accessTtlMinutes: minutes, refreshTtlMinutes: 30 * minutes };
      const token = present((await signIn()).refresh).jwt;
      for (const pair of [await signIn(wanted), sessions.refresh({ token, ...wanted })]) {
        expect([pair.expiresInMs, pair.refresh?.expiresInMs]).toStrictEqual([86_400_000, 2_592_000_000]);
        const { iat, exp } = claimsOf(pair.jwt);
        expect(present(exp) - present(iat)).toBe(86_400);
      }
    },
  );

  it("returns no refresh token if the request has refresh: false", async () => {
    const pair = await setUp().signIn({ refresh: false });
    expect(pair).not.toHaveProperty("refresh");
  });

  it("tokens contain neither the credential nor its digest", async () => {
    const { jwt: access, refresh } = await setUp().signIn({ password: "ann-password" });
    for (const token of [access, present(refresh).jwt]) {
      const text = JSON.stringify(jwt.decode(token, { complete: true }));
      expect(text).not.toMatch(/ann-(token|password)/);
    }
    expect(claimsOf(access)).not.toHaveProperty("binding");
  });

  it("keeps the account id in the token", async () => {
    const { signIn } = setUp();
    expect(claimsOf((await signIn({ username: "ann$7" })).jwt)["account_id"]).toBe(7);
    expect(claimsOf((await signIn({ accountId: 3 })).jwt)["account_id"]).toBe(3);
    expect(claimsOf((await signIn()).jwt)).not.toHaveProperty("account_id");
  });

  it("narrows to the scope, and refuses a malformed scope before it checks the credential", async () => {
    const { signIn, principalOf } = setUp();
    const { jwt: token } = await signIn({ scope: { stations: ["clicks"], actions: ["produce"] } });
    const principal = await principalOf(token);
    expect([principal.mayProduce("clicks"), principal.mayProduce("orders")]).toEqual([true, false]);
    expect(principal.mayConsume("clicks")).toBe(false);
    expect(await codeOf(() => signIn({ connectionToken: "x", scope: [] }))).toBe("SCOPE_INVALID");
  });

  it("accepts hashed credentials", async () => {
    const { signIn } = setUp();
    expect((await signIn({ username: "bob", password: "bob-password" })).expiresInMs).toBe(900_000);
  });
});

describe("refreshing", () => {
  const signedIn = async (request: Partial<SignInRequest> = {}) => {
    const pair = await setUp().signIn(request);
    return present(pair.refresh).jwt;
  };

  it("returns a new pair with the same scope and account id", async () => {
    const scope = { stations: ["clicks"], origins: ["https://shop.example"] };
    const { sessions, principalOf } = setUp();
    const once = sessions.refresh({ token: await signedIn({ scope, accountId: 7 }) });
    const twice = sessions.refresh({ token: present(once.refresh).jwt, accessTtlMinutes: 2 });
    expect(claimsOf(twice.jwt)).toMatchObject({ sub: "ann", account_id: 7, scope });
    expect(twice.expiresInMs).toBe(2 * MINUTE);
    const principal = await principalOf(twice.jwt);
    expect(principal.mayProduce("orders")).toBe(false);
    expect(principal.origins).toEqual(scope.origins);
  });

  it("refuses an access token for refreshing, and a refresh token for access", async () => {
    const { sessions, signIn, principalOf } = setUp();
    const pair = await signIn();
    expect(await codeOf(() => sessions.refresh({ token: pair.jwt }))).toBe("UNAUTHORIZED");
    expect(await codeOf(() => principalOf(present(pair.refresh).jwt))).toBe("UNAUTHORIZED");
  });

  it.each([
    ["another token", [{ username: "ann", connectionToken: "new-token" }]],
    ["a password instead of the token", [{ username: "ann", password: "ann-token" }]],
    ["an additional password", [{ username: "ann", connectionToken: "ann-token", password: "new" }]],
    ["another name", [{ username: "bob", connectionToken: "ann-token" }]],
  ])("fails after the account got %s", async (_what, accounts) => {
    const { sessions } = setUp({ accounts });
    const token = await signedIn();
    expect(await failureOf(() => sessions.refresh({ token }))).toMatchObject({
      code: "UNAUTHORIZED",
      message: "Unauthorized",
    });
  });

  it("works after a change of the account's rights", async () => {
    const accounts = [{ username: "ann", connectionToken: "ann-token", stations: ["orders"] }];
    const { sessions, principalOf } = setUp({ accounts });
    const pair = sessions.refresh({ token: await signedIn() });
    expect((await principalOf(pair.jwt)).mayProduce("clicks")).toBe(false);
  });

  it("fails after the refresh token has expired", async () => {
    const { sessions } = setUp();
    const token = await signedIn({ refreshTtlMinutes: 10 });
    clock.advance(10 * MINUTE);
    expect(await codeOf(() => sessions.refresh({ token }))).toBe("UNAUTHORIZED");
  });
});
