/** Pages in Chromium with the real gateway and a real log. Each event is stored, and a duplicate has the same id. */
import { jest } from "@jest/globals";
import type { Browser, BrowserContext, Page } from "playwright-core";
import { endings, flush, numbers, openShop, send, start, type Shop } from "../sdk/shop.ts";
import { describeBrowser, launchBrowser } from "../support/browser.ts";
import { type BrokerUnderTest, describeOnEachBroker } from "../support/each-broker.ts";
import { type Gateway, ROOT, signIn, startGateway } from "../support/gateway.ts";
import { uniqueName } from "../support/kafka/describe.ts";

jest.setTimeout(120_000);

const KEY = "browser-key-of-the-tests-0123456789";

describeOnEachBroker("pages", (broker) => {
  describeBrowser("in Chromium", () => {
    let browser: Browser;
    let shop: Shop;
    let otherShop: Shop;
    let context: BrowserContext;
    let gateway: Gateway;
    let station: string;

    beforeAll(async () => {
      [browser, shop, otherShop] = await Promise.all([launchBrowser(), openShop(), openShop()]);
    });
    afterAll(async () => {
      await browser.close();
      await Promise.all([shop.close(), otherShop.close()]);
    });
    beforeEach(async () => {
      context = await browser.newContext();
      station = uniqueName("clicks");
    });
    afterEach(async () => {
      await context.close();
      await gateway[Symbol.asyncDispose]();
    });

    const serve = async (rest: Rest = {}): Promise<void> => {
      gateway = await startGateway({ settings: settingsFor(broker, { station, origin: shop.url, ...rest }) });
    };

    const open = async (options: Record<string, unknown> = { apiKey: KEY }, site = shop): Promise<Page> => {
      const page = await context.newPage();
      await page.goto(site.url);
      await start(page, { url: gateway.url, station, ...options });
      return page;
    };

    /** Reads the log until it has all these numbers. Expects no other numbers, and one id for each. */
    const expectStored = async (wanted: readonly number[]): Promise<void> => {
      const found = await readUntil(wanted.length);
      expect([...new Set(found.map(({ n }) => n))]).toEqual(wanted);
      expect(new Set(found.map(({ id }) => id)).size).toBe(wanted.length);
      expect(new Set(found.map(({ n, id }) => `${n} ${id}`)).size).toBe(wanted.length);
    };

    const readUntil = async (count: number): Promise<readonly { n: number; id: string | undefined }[]> => {
      for (;;) {
        const events = await broker.readAll(gateway, station);
        const found = events.map(({ value, headers }) => ({
          n: (JSON.parse(value.toString()) as { n: number }).n,
          id: headers["x-event-id"],
        }));
        if (new Set(found.map(({ n }) => n)).size >= count) return found;
      }
    };

    it("keep a full queue over a reload while the gateway is down", async () => {
      await serve();
      const page = await open();
      await send(page, 1, 1);
      await flush(page);
      await gateway.stop("SIGKILL");
      await send(page, 2, 500);
      await page.waitForFunction("window.retries.length > 0");
      await page.reload();
      gateway = await gateway.restart();
      await start(page, { url: gateway.url, station, apiKey: KEY });
      await expectStored(numbers(1, 500));
    });

    it("send their queue after they were offline", async () => {
      await serve();
      const page = await open();
      await send(page, 1, 50);
      await context.setOffline(true);
      await send(page, 51, 150);
      await page.waitForFunction("window.retries.length > 0");
      await context.setOffline(false);
      await flush(page);
      await expectStored(numbers(1, 150));
    });

    it("send the rest of their queue after they were closed", async () => {
      await serve();
      const page = await open({ apiKey: KEY, maxBatchEvents: 5 });
      await send(page, 1, 60);
      await page.close({ runBeforeUnload: true });
      const next = await open();
      await flush(next);
      await expectStored(numbers(1, 60));
    });

    it("share a queue between two tabs", async () => {
      await serve();
      const pages = await Promise.all([open(), open()]);
      await Promise.all(pages.map((page, i) => send(page, 1000 * i + 1, 1000 * i + 100)));
      await Promise.all(pages.map(flush));
      const found = await readUntil(200);
      expect(found).toHaveLength(200);
      for (const from of [1, 1001]) {
        const own = found.map(({ n }) => n).filter((n) => n >= from && n < from + 1000);
        expect(own).toEqual(numbers(from, from + 99));
      }
    });

    it("get a new token after theirs has expired", async () => {
      await serve({ accessTtl: "2s" });
      await context.exposeFunction("freshToken", () => signIn(gateway, { ...ROOT, scope: narrow(station) }));
      const page = await open({});
      await send(page, 1, 10);
      await flush(page);
      await page.waitForFunction(
        `performance.now() > ${await page.evaluate<number>("performance.now()")} + 2500`,
      );
      await send(page, 11, 20);
      await flush(page);
      expect(await page.evaluate("window.tokens")).toBe(2);
      await expectStored(numbers(1, 20));
    });

    const narrow = (name: string) => ({ stations: [name], actions: ["produce"], origins: [shop.url] });

    it("wait when they exceed their rate", async () => {
      await serve({ limits: { eventsPerSecond: 40, burst: "1s" } });
      const page = await open({ apiKey: KEY, maxBatchEvents: 20 });
      await send(page, 1, 100);
      await flush(page);
      expect(await page.evaluate("window.retries.some((reason) => reason.startsWith('429'))")).toBe(true);
      await expectStored(numbers(1, 100));
    });

    it("halve batches that are too large", async () => {
      await serve({ bodyLimit: "16kb" });
      const page = await open();
      await send(page, 1, 50, "x".repeat(1000));
      await send(page, 51, 51, "x".repeat(20_000));
      await send(page, 52, 60);
      await flush(page);
      expect((await endings(page))["51"]).toBe("refused");
      await expectStored([...numbers(1, 50), ...numbers(52, 60)]);
    });

    it("are refused from another origin", async () => {
      await serve();
      const page = await open({ apiKey: KEY }, otherShop);
      await send(page, 1, 3);
      await page.waitForFunction("window.retries.length > 1");
      const allowed = await open();
      await send(allowed, 4, 6);
      await flush(allowed);
      await expectStored([4, 5, 6]);
    });

    it("send from a sandboxed frame, without storage and locks", async () => {
      await serve();
      await context.exposeFunction("freshToken", () => signIn(gateway, ROOT));
      const page = await context.newPage();
      await page.goto(`${shop.url}/elsewhere`);
      await page.setContent(`<iframe sandbox="allow-scripts" src="${shop.url}/"></iframe>`);
      const frame = await page.waitForSelector("iframe").then((element) => element.contentFrame());
      if (frame === null) throw new Error("The page has no frame");
      await frame.waitForFunction("typeof Stationgate === 'object'");
      expect(await frame.evaluate("self.origin")).toBe("null");
      await start(frame, { url: gateway.url, station });
      await send(frame, 1, 20);
      await flush(frame);
      await expectStored(numbers(1, 20));
    });

    it("send within 20 s if getToken of another tab never settles", async () => {
      await serve();
      const stuck = await context.newPage();
      await stuck.goto(shop.url);
      await stuck.evaluate("window.freshToken = () => new Promise(() => undefined)");
      await start(stuck, { url: gateway.url, station });
      await send(stuck, 1, 1);
      await stuck.waitForFunction("window.tokens > 0");
      const other = await context.newPage();
      await other.exposeFunction("freshToken", () => signIn(gateway, ROOT));
      await other.goto(shop.url);
      await start(other, { url: gateway.url, station });
      await send(other, 2, 21);
      const since = performance.now();
      await flush(other);
      expect(performance.now() - since).toBeLessThan(20_000);
      await expectStored(numbers(1, 21));
    });

    it("load the SDK from the gateway", async () => {
      await serve();
      const page = await context.newPage();
      await page.goto(`${shop.url}/elsewhere`);
      await page.addScriptTag({ url: `${gateway.url}/sdk/stationgate.js` });
      await start(page, { url: gateway.url, station, apiKey: KEY });
      await send(page, 1, 1);
      await flush(page);
      await expectStored([1]);
    });
  });
});

interface Wanted extends Rest {
  readonly station: string;
  readonly origin: string;
}

interface Rest {
  readonly accessTtl?: string;
  readonly bodyLimit?: string;
  readonly limits?: object;
}

const settingsFor = (
  broker: BrokerUnderTest,
  { station, origin, accessTtl = "15m", bodyLimit = "4mb", limits = {} }: Wanted,
): Record<string, unknown> => ({
  broker: broker.settings(),
  // One partition, so that the log has one order.
  stations: [{ name: station, partitions: 1 }],
  server: { host: "127.0.0.1", port: 0, bodyLimit },
  auth: {
    accessToken: { secret: "access-secret-of-the-tests-0123456789abcdef", ttl: accessTtl },
    refreshToken: { secret: "refresh-secret-of-the-tests-0123456789abcdef" },
    accounts: [
      {
        username: ROOT.username,
        connectionToken: ROOT.connection_token,
        stations: ["*"],
        consume: ["*"],
      },
    ],
    apiKeys: [{ id: "web", key: KEY, kind: "browser", stations: ["clicks-*"], origins: [origin], limits }],
  },
});
