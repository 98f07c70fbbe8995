/** Sign-ins and the operators' listener of the real program under attack by unknown clients. */
import { hashSecret } from "../../src/auth/secrets.ts";
import { ADMIN_TOKEN, startGateway, type Gateway } from "../support/gateway.ts";

const TIMEOUT = 60_000;

const signIn = async (
  gateway: Gateway,
  username: string,
  password: string,
  signal?: AbortSignal,
): Promise<number> => {
  const answer = await fetch(`${gateway.url}/auth/authenticate`, {
    method: "POST",
    ...(signal && { signal }),
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ username, password }),
  });
  await answer.text();
  return answer.status;
};

describe("a flood of sign-ins with unknown names", () => {
  let gateway: Gateway;
  const names = Array.from({ length: 6 }, (_none, index) => `known-${index}`);

  beforeAll(async () => {
    const hash = await hashSecret("the-right-password");
    gateway = await startGateway({
      settings: {
        admin: { host: "127.0.0.1", port: 0, token: await hashSecret(ADMIN_TOKEN) },
        auth: {
          accessToken: { secret: "access-secret-of-the-tests-0123456789abcdef" },
          refreshToken: { secret: "refresh-secret-of-the-tests-0123456789abcdef" },
          accounts: names.map((username) => ({ username, password: hash, stations: ["*"] })),
        },
      },
    });
  }, TIMEOUT);
  afterAll(() => gateway[Symbol.asyncDispose]());

  it(
    "delays valid sign-ins and operators by at most 5 s",
    async () => {
      const flooding = new AbortController();
      const statuses = new Set<number>();
      const attacker = async (id: number): Promise<void> => {
        for (let count = 0; ; count += 1)
          statuses.add(await signIn(gateway, `made-up-${id}-${count}`, "x", flooding.signal));
      };
      const flood = Array.from({ length: 300 }, (_none, id) => attacker(id));
      while (!statuses.has(503)) await signIn(gateway, "one-more", "x");

      const times = [];
      for (const name of names) {
        const begin = performance.now();
        expect(await signIn(gateway, name, "the-right-password")).toBe(200);
        times.push(performance.now() - begin);
      }
      const begin = performance.now();
      const stations = await fetch(`${gateway.adminUrl}/stations`, {
        headers: { authorization: `Bearer ${ADMIN_TOKEN}` },
      });
      times.push(performance.now() - begin);
      flooding.abort();
      await Promise.allSettled(flood);

      expect(stations.status).toBe(200);
      expect(Math.max(...times)).toBeLessThan(5000);
      expect([...statuses].toSorted()).toEqual([401, 503]);
    },
    TIMEOUT,
  );
});

describe("wrong tokens on the operators' listener", () => {
  let gateway: Gateway;

  beforeEach(async () => {
    gateway = await startGateway();
  }, TIMEOUT);
  afterEach(() => gateway[Symbol.asyncDispose]());

  const ask = (path: string, token: string | undefined, method = "GET") =>
    fetch(gateway.adminUrl + path, {
      method,
      headers: { ...(token !== undefined && { authorization: `Bearer ${token}` }) },
    });
  const submit = (token: string) =>
    fetch(`${gateway.adminUrl}/session`, {
      method: "POST",
      body: new URLSearchParams({ token }),
      redirect: "manual",
    });

  it("are limited to ten per minute over all routes; then each token gets 429", async () => {
    const routes = ["/connectors", "/stations", "/no-such-path", "/connectors/x/failures", "/session/end"];
    const wrong = [];
    for (const route of [...routes, ...routes].slice(0, 9))
      wrong.push((await ask(route, "wrong", route === "/session/end" ? "POST" : "GET")).status);
    wrong.push((await submit("wrong")).status);
    expect(wrong).toEqual(Array.from({ length: 10 }, () => 401));

    for (const route of routes.slice(0, 4)) {
      const refused = await ask(route, ADMIN_TOKEN);
      expect(refused.status).toBe(429);
      expect(Number(refused.headers.get("retry-after"))).toBeGreaterThan(0);
    }
    expect((await submit(ADMIN_TOKEN)).status).toBe(429);
    expect((await ask("/connectors", undefined)).status).toBe(401);
    expect((await ask("/metrics", undefined)).status).toBe(200);
    expect((await ask("/healthz", undefined)).status).toBe(200);
  });

  it("don't include requests without a token", async () => {
    for (let time = 0; time < 12; time += 1) expect((await ask("/connectors", undefined)).status).toBe(401);
    expect((await ask("/connectors", ADMIN_TOKEN)).status).toBe(200);
  });
});
