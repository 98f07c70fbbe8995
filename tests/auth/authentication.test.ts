import { createAuthentication } from "../../src/auth/authentication.ts";
import { createTokens } from "../../src/auth/tokens.ts";

const LIFETIMES = { secrets: [], ttl: 60_000, maxTtl: 60_000 };

it("starts without token secrets and accounts, and refuses every token", async () => {
  const names = { issuer: "stationgate", audience: "stationgate" };
  const { authenticate } = createAuthentication({
    ...names,
    accounts: [],
    apiKeys: [],
    accessToken: LIFETIMES,
    refreshToken: LIFETIMES,
    loginFailuresPerMinute: 10,
    admin: { tokens: [], sessionTtl: 1000, failuresPerMinute: 10 },
  });
  const others = createTokens({ ...names, use: "access", keys: [{ kid: "none", secret: "guessed" }] });
  const token = others.issue({ username: "root", accountId: undefined, scope: {} }, 60_000);

  await expect(
    (async () =>
      authenticate({
        authorizationHeader: `Bearer ${token}`,
        queryToken: undefined,
        apiKeyHeader: undefined,
        address: "",
      }))(),
  ).rejects.toMatchObject({ code: "UNAUTHORIZED" });
});
