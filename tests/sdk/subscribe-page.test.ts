/** `subscribe` of the built script in Chromium, on a page of another origin. */
import { readFile } from "node:fs/promises";
import type { Browser } from "playwright-core";
import { describeBrowser, launchBrowser } from "../support/browser.ts";
import { eventLine, startFakeStreams, type FakeStreams } from "../support/fake-stream.ts";
import { openShop, type Shop } from "./shop.ts";

describeBrowser("subscribe in Chromium", () => {
  let browser: Browser;
  let shop: Shop;
  let gateway: FakeStreams;

  beforeAll(async () => {
    [browser, shop, gateway] = await Promise.all([launchBrowser(), openShop(), startFakeStreams()]);
  });
  afterAll(async () => {
    await browser.close();
    await Promise.all([shop.close(), gateway.close()]);
  });

  it("reads beside a producer, and continues after its last event", async () => {
    const page = await browser.newPage();
    await page.goto(`${shop.url}/elsewhere`);
    await page.addScriptTag({ content: await readFile("dist/sdk/subscribe.js", "utf8") });
    await page.addScriptTag({ content: await readFile("dist/sdk/stationgate.js", "utf8") });
    expect(await page.evaluate("Object.keys(Stationgate).sort()")).toEqual(["createProducer", "subscribe"]);
    await page.evaluate(`
      window.received = [];
      window.states = [];
      window.subscription = Stationgate.subscribe({
        url: "${gateway.url}",
        station: "clicks",
        getToken: () => "token",
        retryDelay: 10,
        maxRetryDelay: 20,
        onEvent: async ({ value }) => {
          await new Promise((resolve) => setTimeout(resolve));
          window.received.push(value.n);
        },
        onState: ({ state }) => window.states.push(state),
      });
      undefined`);
    const first = await gateway.next();
    expect(first.request.headers).toMatchObject({ authorization: "Bearer token", origin: shop.url });
    first.write({ id: "id-0" }, eventLine(1), eventLine(2));
    await page.waitForFunction("window.subscription.lastEventId === 'id-2'");
    first.reset();
    const second = await gateway.next();
    expect(second.request.headers["last-event-id"]).toBe("id-2");
    second.write(eventLine(3));
    await page.waitForFunction("window.received.length === 3");
    await page.evaluate("window.subscription.close()");
    await second.closed;
    expect(await page.evaluate("window.received")).toEqual([1, 2, 3]);
    expect(await page.evaluate("window.states")).toEqual([
      ...["connecting", "open", "waiting", "connecting", "open", "closed"],
    ]);
  });
});
