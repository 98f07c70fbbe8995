/** Rate limits with the real program. A client above its rate gets Retry-After, and other clients are served. */
import { createHmac } from "node:crypto";
import { startGateway, type Gateway } from "../support/gateway.ts";

const ORIGIN = "https://shop.example";
const SECRET = "a-secret-of-the-tests";

/** A rate that gives back no unit during a test, so that `burst` alone counts. */
const rate = (perSecond: number, units: number) => ({
  perSecond,
  burst: `${Math.round((units / perSecond) * 1000)}ms`,
});
const FLOODED = rate(0.01, 10);
const SOURCE = rate(0.01, 3);

const browserKey = (id: string, limits?: object) => ({
  id,
  key: `key-of-${id}-0123456789`,
  kind: "browser",
  stations: ["clicks"],
  origins: [ORIGIN],
  ...(limits && { limits }),
});

const sourceOf = (source: string, limits?: object) => ({
  source,
  station: "hooks",
  scheme: "github",
  secrets: [SECRET],
  ...(limits && { limits }),
});

describe("rates", () => {
  let gateway: Gateway;

  beforeAll(async () => {
    gateway = await startGateway({
      settings: {
        auth: {
          accessToken: { secret: "access-secret-of-the-tests-0123456789abcdef" },
          refreshToken: { secret: "refresh-secret-of-the-tests-0123456789abcdef" },
          apiKeys: [
            browserKey("flooding", { eventsPerSecond: FLOODED.perSecond, burst: FLOODED.burst }),
            browserKey("quiet", { eventsPerSecond: 100 }),
          ],
        },
        webhooks: [
          sourceOf("busy", { requestsPerSecond: SOURCE.perSecond, burst: SOURCE.burst }),
          sourceOf("free"),
        ],
      },
    });
  }, 30_000);
  afterAll(() => gateway[Symbol.asyncDispose]());

  const click = (key: string): Promise<Response> =>
    fetch(`${gateway.url}/stations/clicks/produce/single`, {
      method: "POST",
      headers: {
        "x-api-key": `key-of-${key}-0123456789`,
        origin: ORIGIN,
        "content-type": "application/json",
      },
      body: "{}",
    });

  const deliver = (source: string, id: number, secret = SECRET): Promise<Response> =>
    fetch(`${gateway.url}/webhooks/${source}`, {
      method: "POST",
      headers: {
        "content-type": "application/json",
        "x-github-delivery": `${source}-${id}`,
        "x-hub-signature-256": `sha256=${createHmac("sha256", secret).update("{}").digest("hex")}`,
      },
      body: "{}",
    });

  it("limit a flood from one browser key while another key is served", async () => {
    const flood = Promise.all(Array.from({ length: 200 }, () => click("flooding")));
    const served: number[] = [];
    for (let n = 0; n < 20; n++) served.push((await click("quiet")).status);
    const flooded = await flood;
    const refused = flooded.filter(({ status }) => status === 429);

    expect(served).toEqual(served.map(() => 200));
    expect(flooded.filter(({ status }) => status === 200)).toHaveLength(10);
    expect(refused).toHaveLength(190);
    // A page can read the reason and Retry-After.
    expect(refused[0]?.headers.get("access-control-allow-origin")).toBe(ORIGIN);
    expect(Number(refused[0]?.headers.get("retry-after"))).toBeGreaterThan(0);
  });

  it("limit one webhook source and no other", async () => {
    // Requests with an invalid signature don't count.
    for (let n = 0; n < 5; n++) expect((await deliver("busy", n, "wrong")).status).toBe(401);
    const statuses: number[] = [];
    for (let n = 0; n < 5; n++) statuses.push((await deliver("busy", n)).status);
    const refused = await deliver("busy", 5);

    expect(statuses).toEqual([202, 202, 202, 429, 429]);
    expect(refused.headers.get("content-type")).toBe("application/problem+json");
    expect(Number(refused.headers.get("retry-after"))).toBeGreaterThan(0);
    expect([refused.headers.get("ratelimit-limit"), refused.headers.get("ratelimit-remaining")]).toEqual([
      "3",
      "0",
    ]);
    expect((await deliver("free", 1)).status).toBe(202);
  });
});
