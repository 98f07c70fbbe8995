import {
  type AuthenticationOptions,
  createAuthentication,
  createLastingAuthentication,
} from "../../../src/auth/authentication.ts";
import { mayUseStation } from "../../../src/auth/permissions.ts";
import type { Principal } from "../../../src/auth/principal.ts";
import { cheapHash, codeOf, createClock } from "../support.ts";

const clock = createClock();
const lasting = createLastingAuthentication();

const under = (changed: Partial<AuthenticationOptions> = {}) =>
  createAuthentication({
    issuer: "gate",
    audience: "gate",
    accounts: [{ username: "ann", password: "secret", stations: ["orders", "clicks"], consume: ["*"] }],
    apiKeys: [
      { id: "partner", key: "partner-key", kind: "server", stations: ["orders"] },
      { id: "hashed", key: HASH, kind: "server", stations: ["orders"] },
    ],
    accessToken: { secrets: [{ kid: "a", secret: "first secret" }], ttl: 60_000, maxTtl: 60_000 },
    refreshToken: { secrets: [{ kid: "r", secret: "refresh secret" }], ttl: 60_000, maxTtl: 60_000 },
    loginFailuresPerMinute: 2,
    admin: { token: "operators", tokens: [], sessionTtl: 60_000, failuresPerMinute: 2 },
    lasting,
    now: clock.now,
    ...changed,
  });
const HASH = cheapHash("hashed-key");

const before = under();

const annWith = async (scope: unknown = {}): Promise<Principal> => {
  const { jwt } = await before.sessions.signIn({
    username: "ann",
    password: "secret",
    scope,
    address: "::1",
  });
  return before.authenticate({ authorizationHeader: `Bearer ${jwt}`, address: "::1" });
};

const keyOf = async (key: string): Promise<Principal> =>
  before.authenticate({ apiKeyHeader: key, address: "::1" });

describe("renew", () => {
  it("returns a principal of the same settings as it is", async () => {
    const principals = [await annWith(), await keyOf("partner-key"), await keyOf("hashed-key")];
    expect(principals.map(before.renew)).toEqual(principals);
  });

  it("gives the present rights of the account, narrowed to the token's scope", async () => {
    const scoped = await annWith({ stations: ["orders", "new"] });
    const after = under({ accounts: [{ username: "ann", password: "other", stations: ["clicks", "new"] }] });
    const renewed = after.renew(scoped);
    expect(renewed?.name).toBe("ann");
    const may = ["orders", "clicks", "new"].map(
      (station) => renewed !== undefined && mayUseStation(renewed, "produce", station),
    );
    expect(may).toEqual([false, false, true]);
  });

  it("renews a renewed principal again", async () => {
    const renewed = under().renew(await annWith());
    expect(renewed && under().renew(renewed)?.name).toBe("ann");
  });

  it.each([
    ["the account is removed", { accounts: [] }],
    [
      "the secret of the token is removed",
      { accessToken: { secrets: [{ kid: "b", secret: "second" }], ttl: 1, maxTtl: 1 } },
    ],
    [
      "the kid has another secret",
      { accessToken: { secrets: [{ kid: "a", secret: "second" }], ttl: 1, maxTtl: 1 } },
    ],
    ["tokens have another issuer", { issuer: "other" }],
    ["tokens have another audience", { audience: "other" }],
  ])("gives no principal for a token if %s", async (_what, changed) => {
    expect(under(changed).renew(await annWith())).toBeUndefined();
  });

  it("keeps a token whose secret no longer signs", async () => {
    const secrets = [
      { kid: "b", secret: "second" },
      { kid: "a", secret: "first secret" },
    ];
    const after = under({ accessToken: { secrets, ttl: 1, maxTtl: 1 } });
    expect(after.renew(await annWith())?.name).toBe("ann");
  });

  it("ignores the expiry of a token", async () => {
    const ann = await annWith();
    clock.advance(3_600_000);
    expect(under().renew(ann)?.name).toBe("ann");
  });

  it("keeps an API key that is one of several with its id, and drops one that is removed or has expired", async () => {
    const partner = await keyOf("partner-key");
    const key = { id: "partner", kind: "server", stations: ["clicks"] } as const;
    const next = { ...key, key: "next-key" };
    const renewed = under({ apiKeys: [next, { ...key, key: "partner-key" }] }).renew(partner);
    expect(renewed && mayUseStation(renewed, "produce", "clicks")).toBe(true);
    expect(under({ apiKeys: [next] }).renew(partner)).toBeUndefined();
    expect(under({ apiKeys: [{ ...key, id: "other", key: "partner-key" }] }).renew(partner)).toBeUndefined();
    const ended = { ...key, key: "partner-key", expires: clock.now() };
    expect(under({ apiKeys: [ended] }).renew(partner)).toBeUndefined();
  });
});

describe("the lasting parts", () => {
  it("keep the failures of sign-ins and of operators", async () => {
    const guess = (from: typeof before) =>
      codeOf(() => from.sessions.signIn({ username: "ann", password: "guess", address: "192.0.2.7" }));
    expect([await guess(under()), await guess(under())]).toEqual(["UNAUTHORIZED", "UNAUTHORIZED"]);
    expect(await guess(under())).toBe("LOGIN_THROTTLED");
    expect(await guess(under({ loginFailuresPerMinute: 3 }))).toBe("UNAUTHORIZED");
  });

  it("don't keep verified credentials", async () => {
    await keyOf("partner-key");
    expect(
      await codeOf(async () =>
        under({ apiKeys: [] }).authenticate({ apiKeyHeader: "partner-key", address: "" }),
      ),
    ).toBe("UNAUTHORIZED");
  });
});
