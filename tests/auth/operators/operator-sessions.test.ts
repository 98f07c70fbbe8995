import { createAdminTokens } from "../../../src/auth/operators/admin-tokens.ts";
import {
  createOperatorSessions,
  type ProviderSettings,
} from "../../../src/auth/operators/operator-sessions.ts";
import { createSealer } from "../../../src/auth/operators/sealer.ts";
import { createSecretVerifier, derivationTurns } from "../../../src/auth/secrets.ts";
import { codeOf, createClock, present } from "../support.ts";

const PROVIDER: ProviderSettings = {
  issuer: "https://id.example",
  clientId: "stationgate",
  rolesClaim: "groups",
  roles: { viewer: ["staff"], operator: [], admin: ["kafka-admins"] },
};

const clock = createClock();

const sessionsWith = (
  provider: ProviderSettings | undefined = PROVIDER,
  secrets: readonly [string, ...string[]] = ["secret"],
) =>
  createOperatorSessions({
    sealer: createSealer(secrets, "operator session"),
    tokens: createAdminTokens({
      token: "admin-token",
      tokens: [],
      verifier: createSecretVerifier({ turns: derivationTurns() }),
      now: clock.now,
    }),
    provider,
    ttl: 60_000,
    now: clock.now,
  });

const ADA = { name: "Ada", role: "operator", sub: "248289761001" } as const;

describe("a session of the identity provider", () => {
  it("has the name, the role and the subject of the operator", () => {
    const { value, expires } = sessionsWith().forIdentified(ADA);
    expect(sessionsWith().open(value)).toEqual({
      name: "Ada",
      role: "operator",
      via: "oidc",
      expires,
      subject: { iss: "https://id.example", sub: "248289761001" },
    });
  });

  it.each([
    ["the issuer", { issuer: "https://other.example" }],
    ["the client", { clientId: "other" }],
    ["the claim", { rolesClaim: "roles" }],
    ["a value of a role", { roles: { ...PROVIDER.roles, viewer: ["all"] } }],
    ["the role of a value", { roles: { viewer: [], operator: ["staff"], admin: ["kafka-admins"] } }],
  ])("ends when %s changes", (_, change) => {
    const { value } = sessionsWith().forIdentified(ADA);
    expect(sessionsWith({ ...PROVIDER, ...change }).open(value)).toBeUndefined();
  });

  it("ends when the provider is removed", () => {
    const { value } = sessionsWith().forIdentified(ADA);
    const without = createOperatorSessions({
      sealer: createSealer(["secret"], "operator session"),
      tokens: { named: () => undefined },
      provider: undefined,
      ttl: 60_000,
      now: clock.now,
    });
    expect(without.open(value)).toBeUndefined();
    expect(() => without.forIdentified(ADA)).toThrow("Unauthorized");
  });

  it("is not renewed by settings that end it, and is renewed without regard to its end", () => {
    const operator = present(sessionsWith().open(sessionsWith().forIdentified(ADA).value));
    clock.advance(120_000);
    expect(sessionsWith().renew(operator)).toEqual(operator);
    expect(sessionsWith({ ...PROVIDER, clientId: "other" }).renew(operator)).toBeUndefined();
  });

  it("is not renewed by settings whose secrets do not open it", () => {
    const operator = present(sessionsWith().open(sessionsWith().forIdentified(ADA).value));
    expect(sessionsWith(PROVIDER, ["new", "secret"]).renew(operator)).toEqual(operator);
    expect(sessionsWith(PROVIDER, ["new"]).renew(operator)).toBeUndefined();
  });

  it("fits into the cookie with the longest subject and any name", async () => {
    const name = "長い名前".repeat(100);
    const { value } = sessionsWith().forIdentified({ ...ADA, name, sub: "s".repeat(255) });
    expect(value.length).toBeLessThanOrEqual(590);
    const opened = present(sessionsWith().open(value));
    expect(Buffer.byteLength(opened.name)).toBe(96);
    expect(name.startsWith(opened.name)).toBe(true);
    const escaped = sessionsWith().forIdentified({ ...ADA, name: '"'.repeat(96), sub: "s".repeat(256) });
    const { name: cut = "", subject } = sessionsWith().open(escaped.value) ?? {};
    expect([escaped.value.length <= 590, /^"{8,}$/.test(cut), subject?.sub.length]).toEqual([
      true,
      true,
      256,
    ]);
    const tooLong = () => sessionsWith().forIdentified({ ...ADA, sub: '"'.repeat(255) });
    expect(await codeOf(tooLong)).toBe("UNAUTHORIZED");
  });
});
