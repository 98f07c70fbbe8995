/** Tokens of an identity provider at the real program. */
import { startGateway, type Gateway, signIn } from "../support/gateway.ts";
import { type IdentityProvider, providerKey, startIdentityProvider } from "../support/identity-provider.ts";
import { linesOf, type LogLine, until } from "../support/log-lines.ts";

let provider: IdentityProvider;
let gateway: Gateway;

const open = async (entry: Record<string, unknown> = {}, settings: Record<string, unknown> = {}) => {
  const issuer = {
    name: "corp",
    issuer: provider.issuer,
    audience: "stationgate",
    stations: ["orders"],
    ...entry,
  };
  gateway = await startGateway({
    env: { STATIONGATE_AUTH_ISSUERS: JSON.stringify([issuer]) },
    settings,
  });
};

beforeEach(async () => {
  provider = await startIdentityProvider();
});

afterEach(async () => {
  await gateway[Symbol.asyncDispose]();
  await provider.stop().catch(() => undefined);
});

const produce = (token: string, station = "orders", query = false): Promise<Response> =>
  fetch(`${gateway.url}/stations/${station}/produce/single${query ? `?authorization=${token}` : ""}`, {
    method: "POST",
    headers: {
      "content-type": "text/plain",
      connection: "close",
      ...(!query && { authorization: `Bearer ${token}` }),
    },
    body: "x",
  });

const statusOf = async (token: string, station?: string): Promise<number> =>
  (await produce(token, station)).status;

const lines = (msg: string): readonly LogLine[] => linesOf(gateway, msg);

const scrape = async (): Promise<string> => (await fetch(`${gateway.adminUrl}/metrics`)).text();

describe("tokens of an identity provider", () => {
  it("are accepted in the header and in the query, within the rights of the entry, beside the gateway's own", async () => {
    await open();
    const token = provider.token();
    expect([await statusOf(token), (await produce(token, "orders", true)).status]).toEqual([200, 200]);
    expect(await statusOf(token, "payroll")).toBe(403);
    expect(await statusOf(await signIn(gateway))).toBe(200);
    await until(() => lines("request").length >= 4);
    expect(lines("request").map(({ principal }) => principal)).toEqual(
      expect.arrayContaining(["corp:ann", undefined, "root"]),
    );
    expect(provider.requests).toEqual(["/.well-known/openid-configuration", "/jwks"]);
  });

  it("that are wrong get 401 without a hint, and their reason is in the log and the metrics", async () => {
    await open();
    const right = provider.token();
    const answers = await Promise.all(
      [
        provider.token({ aud: "other" }),
        `${right.slice(0, -4)}AAAA`,
        provider.token({ exp: 1 }),
        "x.y.z",
      ].map((token) => produce(token)),
    );
    const seen = await Promise.all(
      answers.map(async (answer) => [
        answer.status,
        answer.headers.get("www-authenticate"),
        await answer.text(),
      ]),
    );
    expect(new Set(seen.map((one) => one.join(" ")))).toEqual(
      new Set(['401 Bearer {"message":"Unauthorized"}']),
    );
    const reasons = ["wrong audience", "wrong signature", "expired", "malformed token"];
    await until(() => lines("request").length >= 4);
    expect(
      lines("request")
        .map(({ reason }) => reason)
        .sort(),
    ).toEqual(reasons.toSorted());
    const text = await scrape();
    for (const reason of reasons)
      expect(text).toContain(`stationgate_auth_failures_total{reason="${reason}"} 1`);
    for (const token of [right, provider.issuer, "first"])
      expect(JSON.stringify(lines("request"))).not.toContain(token);
  });

  it("get 403, and the log line says that the provider left the groups out", async () => {
    await open({ mapping: [{ claim: "groups", value: "shop", stations: ["orders"] }] });
    expect(await statusOf(provider.token({ groups: ["shop"] }))).toBe(200);
    expect(await statusOf(provider.token({ _claim_names: { groups: "src1" } }))).toBe(403);
    await until(() => lines("request").length >= 2);
    expect(lines("request").map(({ status, reason }) => [status, reason])).toEqual([
      [200, undefined],
      [403, "groups not in the token"],
    ]);
  });

  it("get 503 while the provider was never reachable, and 200 afterwards, without a restart", async () => {
    const token = provider.token();
    await provider.stop();
    await open({ refresh: "1s" });
    const refused = await produce(token);
    expect([refused.status, refused.headers.get("retry-after")]).toEqual([503, "5"]);
    expect(await refused.json()).toEqual({
      error: "The keys that verify this token are not available",
      success: false,
    });
    const v3 = await fetch(`${gateway.url}/v3/clusters`, { headers: { authorization: `Bearer ${token}` } });
    expect(await v3.json()).toMatchObject({ error_code: 50302, retriable: true });
    await provider.start();
    await until(async () => (await statusOf(token)) === 200);
    expect(lines("keys of the issuer can't be fetched")).toHaveLength(1);
    await until(() => lines("keys of the issuer fetched").length > 0);
    expect(lines("keys of the issuer fetched")).toMatchObject([{ issuer: "corp", keys: 1 }]);
  });

  it("of a rotated key are accepted at once, with one fetch", async () => {
    await open();
    const [first] = provider.keys;
    const old = provider.token();
    expect(await statusOf(old)).toBe(200);
    provider.keys = [...(first ? [first] : []), providerKey("second")];
    expect(await statusOf(provider.token())).toBe(200);
    expect(await statusOf(old)).toBe(200);
    expect(provider.requests.filter((url) => url === "/jwks")).toHaveLength(2);
  });

  it("of a key that leaves the set are refused with the fetch that shows it", async () => {
    await open({ refresh: "1s" });
    const token = provider.token();
    expect(await statusOf(token)).toBe(200);
    provider.keys = [providerKey("second")];
    await until(async () => (await statusOf(token)) === 401);
    expect(await statusOf(provider.token())).toBe(200);
  });
});

/** No Kafka listens there: a right without an event (403) shows that a token was accepted. */
const WORKERS = {
  server: { host: "127.0.0.1", port: 0, workers: 2 },
  broker: { type: "kafka", kafka: { brokers: ["127.0.0.1:1"] } },
};

describe("a worker that starts while the identity provider is unreachable", () => {
  it("gets the keys from the main process", async () => {
    await open({}, WORKERS);
    const token = provider.token();
    await until(
      async () =>
        lines("keys of the issuer fetched").length === 2 && (await statusOf(token, "other")) === 403,
    );
    await provider.stop();
    const pids = lines("worker started").map(({ pid }) => Number(pid));
    for (const pid of pids) process.kill(pid, "SIGKILL");
    await until(
      () => lines("worker started").length === 4 && lines("keys of the issuer can't be fetched").length >= 2,
    );
    await until(() =>
      fetch(`${gateway.url}/healthz`, { headers: { connection: "close" } }).then(
        () => true,
        () => false,
      ),
    );
    const statuses = [];
    for (let i = 0; i < 12; i += 1) statuses.push(await statusOf(token, "other"));
    expect(statuses).toEqual(statuses.map(() => 403));
    // A request on a connection of the killed worker fails.
    const age = /stationgate_issuer_keys_age_seconds\{issuer="corp"\} [1-9]/;
    await until(() =>
      scrape().then(
        (text) => age.test(text),
        () => false,
      ),
    );
  }, 60_000);
});
