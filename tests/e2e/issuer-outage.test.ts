/** Tokens of an identity provider that is unreachable for many refresh intervals, and tokens with made-up keys, at the real program. */
import { jest } from "@jest/globals";
import { randomBytes } from "node:crypto";
import { startGateway, type Gateway } from "../support/gateway.ts";
import { type IdentityProvider, startIdentityProvider } from "../support/identity-provider.ts";

jest.setTimeout(120_000);

let provider: IdentityProvider;

beforeEach(async () => {
  provider = await startIdentityProvider();
});
afterEach(() => provider.stop().catch(() => undefined));

const open = (entry: Record<string, unknown> = {}, settings: Record<string, unknown> = {}) =>
  startGateway({
    env: {
      STATIONGATE_AUTH_ISSUERS: JSON.stringify([
        { name: "corp", issuer: provider.issuer, audience: "stationgate", stations: ["orders"], ...entry },
      ]),
    },
    settings,
  });

const produce = (gateway: Gateway, token: string): Promise<Response> =>
  fetch(`${gateway.url}/stations/orders/produce/single`, {
    method: "POST",
    headers: { "content-type": "text/plain", authorization: `Bearer ${token}` },
    body: "x",
  });

const statusOf = async (gateway: Gateway, token: string): Promise<number> => {
  const answer = await produce(gateway, token);
  await answer.arrayBuffer();
  return answer.status;
};

/** Number of fetches of the keys with this outcome, in all workers. */
const fetches = async (gateway: Gateway, outcome: "ok" | "failed"): Promise<number> => {
  const text = await (await fetch(`${gateway.adminUrl}/metrics`)).text();
  const pattern = new RegExp(
    `^stationgate_issuer_fetches_total\\{issuer="corp",outcome="${outcome}"\\} (\\d+)`,
    "m",
  );
  return Number(pattern.exec(text)?.[1] ?? 0);
};

const until = async (condition: () => Promise<boolean>): Promise<void> => {
  while (!(await condition())) await new Promise((resolve) => setTimeout(resolve, 100));
};

/** A token of the provider with a key that it does not have. */
const withUnknownKey = (token: string): string => {
  const [, payload] = token.split(".");
  const header = { alg: "ES256", typ: "at+jwt", kid: randomBytes(8).toString("hex") };
  const text = Buffer.from(JSON.stringify(header)).toString("base64url");
  return `${text}.${String(payload)}.${randomBytes(64).toString("base64url")}`;
};

describe("an identity provider that is unreachable", () => {
  it("does not stop tokens of known keys over six refresh intervals, and unknown keys get 503", async () => {
    await using gateway = await open({ refresh: "1s" });
    const used = provider.token();
    const unused = provider.token({ sub: "ben" });
    expect(await statusOf(gateway, used)).toBe(200);
    await provider.stop();
    for (let failed = 1; failed <= 6; failed += 1) {
      await until(async () => (await fetches(gateway, "failed")) >= failed);
      expect(await statusOf(gateway, used)).toBe(200);
    }
    expect(await statusOf(gateway, unused)).toBe(200);
    const refused = await produce(gateway, withUnknownKey(used));
    expect([refused.status, refused.headers.get("retry-after"), await refused.json()]).toEqual([
      503,
      "5",
      { error: "The keys that verify this token are not available", success: false },
    ]);
    expect(gateway.output().match(/keys of the issuer can't be fetched/g)).toHaveLength(1);
    await provider.start();
    const before = await fetches(gateway, "ok");
    await until(async () => (await fetches(gateway, "ok")) > before);
    expect(await statusOf(gateway, withUnknownKey(used))).toBe(401);
  });

  it("stops all its tokens with 503 after maxStale", async () => {
    await using gateway = await open({ refresh: "1s", maxStale: "3s" });
    const used = provider.token();
    expect(await statusOf(gateway, used)).toBe(200);
    await provider.stop();
    await until(async () => (await statusOf(gateway, used)) === 503);
    expect(await statusOf(gateway, provider.token({ sub: "ben" }))).toBe(503);
    await provider.start();
    await until(async () => (await statusOf(gateway, used)) === 200);
  });
});

describe("10,000 tokens with made-up keys", () => {
  it("cause at most one fetch in 30 s per worker", async () => {
    // No event is stored, so no Kafka needs to listen there.
    await using gateway = await open(
      { fetchTimeout: "5s" },
      {
        server: { host: "127.0.0.1", port: 0, workers: 2 },
        broker: { type: "kafka", kafka: { brokers: ["127.0.0.1:1"] } },
      },
    );
    await until(async () => (await fetches(gateway, "ok")) === 2);
    const atIssuer = () => provider.requests.filter((url) => url === "/jwks").length;
    expect(atIssuer()).toBe(2);
    const token = provider.token();
    const began = performance.now();
    const statuses = new Map<number, number>();
    for (let i = 0; i < 10_000; i += 100) {
      const answers = Array.from({ length: 100 }, () => statusOf(gateway, withUnknownKey(token)));
      for (const status of await Promise.all(answers)) statuses.set(status, (statuses.get(status) ?? 0) + 1);
    }
    const windows = 1 + Math.floor((performance.now() - began) / 30_000);
    expect([...statuses]).toEqual([[401, 10_000]]);
    expect(atIssuer() - 2).toBeGreaterThan(0);
    expect(atIssuer() - 2).toBeLessThanOrEqual(2 * windows);
  });
});
