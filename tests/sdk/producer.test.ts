/** The browser SDK in a real Chromium, against a gateway that does as it is told. */
import { jest } from "@jest/globals";
import type { Browser, BrowserContext, Page } from "playwright-core";
import { describeBrowser, launchBrowser } from "../support/browser.ts";
import { startFakeGateway, type FakeGateway, type Received } from "./fake-gateway.ts";
import { endings, flush, numbers, openShop, send, start, type Shop } from "./shop.ts";

/** Pages take their time on a busy machine. */
jest.setTimeout(60_000);

/** The numbers in the log, each where it came first. */
const firsts = ({ log }: FakeGateway): number[] => [...new Set(log.map(({ event }) => event.n))];

/** Every event has one id, and no id is used for two. */
const expectOneIdEach = ({ log }: FakeGateway): void => {
  const pairs = new Set(log.map(({ id, event }) => `${id} ${event.n}`));
  expect(pairs.size).toBe(new Set(log.map(({ id }) => id)).size);
  expect(pairs.size).toBe(new Set(log.map(({ event }) => event.n)).size);
};

describeBrowser("the browser SDK", () => {
  let browser: Browser;
  let shop: Shop;
  let gateway: FakeGateway;
  let context: BrowserContext;

  beforeAll(async () => {
    [browser, shop] = await Promise.all([launchBrowser(), openShop()]);
  });
  afterAll(async () => {
    await browser.close();
    await shop.close();
  });
  beforeEach(async () => {
    gateway = await startFakeGateway();
    context = await browser.newContext();
  });
  afterEach(async () => {
    await context.close();
    await gateway.close();
  });

  const open = async (options: Record<string, unknown> = {}): Promise<Page> => {
    const page = await context.newPage();
    await page.goto(shop.url);
    await start(page, { url: gateway.url, ...options });
    return page;
  };

  /** The page goes away for good, as when its user follows a link, or closes the tab. */
  const goAway = (page: Page): Promise<unknown> => page.goto(`${shop.url}/elsewhere`);

  it("sends batches of so many events, in order, one at a time", async () => {
    const page = await open({ maxBatchEvents: 10 });
    await send(page, 1, 35);
    await flush(page);
    expect(gateway.received.map(({ events }) => events.length)).toEqual([10, 10, 10, 5]);
    expect(gateway.log.map(({ event }) => event.n)).toEqual(numbers(1, 35));
    expect(gateway.mostAtOnce).toBe(1);
    expect(new Set(Object.values(await endings(page)))).toEqual(new Set(["stored"]));
    expect(await page.evaluate("window.outcomes[1]")).toEqual({
      status: "stored",
      id: gateway.log[0]?.id,
      partition: 0,
      offset: "0",
      timestamp: 1,
    });
  });

  it("sends batches of so many bytes, and a larger event alone", async () => {
    const page = await open({ maxBatchBytes: 1000 });
    await send(page, 1, 3, "x".repeat(400));
    await send(page, 4, 4, "x".repeat(2000));
    await send(page, 5, 5);
    await flush(page);
    expect(gateway.received.map(({ events }) => events.map(({ event }) => event.n))).toEqual([
      [1, 2],
      [3],
      [4],
      [5],
    ]);
  });

  it("waits for others no longer than its linger", async () => {
    const page = await open({ linger: 30 });
    await send(page, 1, 3);
    await gateway.stored(3);
    expect(gateway.received).toHaveLength(1);
  });

  it("asks for no preflight, and names a UUIDv7 with each event", async () => {
    const page = await open({ apiKey: "key" });
    await send(page, 1, 2);
    await flush(page);
    expect(gateway.received).toMatchObject([{ contentType: "text/plain;charset=UTF-8", origin: shop.url }]);
    for (const { id } of gateway.log)
      expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  });

  it("keeps its queue through a reload", async () => {
    gateway.answer = () => ({ status: 503 });
    const page = await open();
    await send(page, 1, 250);
    await gateway.requests(1);
    await page.reload();
    gateway.answer = () => undefined;
    await start(page, { url: gateway.url });
    await gateway.stored(250);
    expect(firsts(gateway)).toEqual(numbers(1, 250));
    expectOneIdEach(gateway);
  });

  it("waits while it is offline, and goes on when it is back", async () => {
    const page = await open({ retryDelay: 60_000, maxRetryDelay: 120_000 });
    await context.setOffline(true);
    await send(page, 1, 20);
    await page.waitForFunction("window.retries.length > 0");
    await send(page, 21, 30);
    await context.setOffline(false);
    await flush(page);
    expect(gateway.log.map(({ event }) => event.n)).toEqual(numbers(1, 30));
  });

  it("loses nothing when the tab closes right after a send", async () => {
    const page = await open();
    await send(page, 1, 1);
    await flush(page);
    await page.evaluate("void (window.producer.send({ n: 2 }), window.producer.send({ n: 3 }))");
    await page.close({ runBeforeUnload: true });
    await gateway.stored(3);
    expect(firsts(gateway)).toEqual([1, 2, 3]);
  });

  it("loses nothing when the page goes away in the middle of a request", async () => {
    const page = await open({ maxBatchEvents: 5 });
    gateway.answer = () => ({ status: 200, stores: false, after: new Promise(() => undefined) });
    await send(page, 1, 12);
    await gateway.requests(1);
    gateway.answer = () => undefined;
    await goAway(page);
    await gateway.stored(12);
    expect(firsts(gateway)).toEqual(numbers(1, 12));
    await page.goto(shop.url);
    await start(page, { url: gateway.url });
    await flush(page);
    expectOneIdEach(gateway);
  });

  it("keeps what is more than a parting page may send", async () => {
    gateway.answer = ({ events }) => (events.some(({ event }) => event.n > 1) ? { status: 503 } : undefined);
    const page = await open({ retryDelay: 60_000, maxRetryDelay: 120_000 });
    await send(page, 1, 1);
    await flush(page);
    await send(page, 2, 31, "x".repeat(4000));
    await page.waitForFunction("window.retries.length > 0");
    gateway.answer = () => undefined;
    await goAway(page);
    await gateway.stored(10);
    expect(firsts(gateway).length).toBeLessThan(20);
    await page.goto(shop.url);
    await start(page, { url: gateway.url });
    await gateway.stored(31);
    expect(firsts(gateway)).toEqual(numbers(1, 31));
    expectOneIdEach(gateway);
  });

  it("sends beacons where fetch can't outlive its page, and takes none of them for stored", async () => {
    await context.addInitScript("delete Request.prototype.keepalive");
    const page = await open();
    await send(page, 1, 1);
    await flush(page);
    gateway.answer = () => ({ status: 503, stores: true });
    await send(page, 2, 29, "x".repeat(3000));
    await goAway(page);
    await gateway.stored(2);
    const before = gateway.received.length;
    gateway.answer = () => undefined;
    await page.goto(shop.url);
    await start(page, { url: gateway.url });
    await gateway.requests(before + 1);
    await gateway.stored(29);
    expect(firsts(gateway)).toEqual(numbers(1, 29));
    expectOneIdEach(gateway);
  });

  it("finds again what never reached its database", async () => {
    await context.addInitScript(`
      const { open } = indexedDB;
      // As slow as a page is that goes away at once.
      indexedDB.open = (...given) => (location.hash === "#slow" ? {} : open.apply(indexedDB, given));
    `);
    const page = await context.newPage();
    await page.goto(`${shop.url}/#slow`);
    await start(page, { url: gateway.url, apiKey: "key" });
    await send(page, 1, 40, "x".repeat(3000));
    await goAway(page);
    await page.goto(shop.url);
    await start(page, { url: gateway.url, apiKey: "key" });
    await gateway.stored(40);
    await flush(page);
    expect(firsts(gateway)).toEqual(numbers(1, 40));
    expectOneIdEach(gateway);
    expect(await page.evaluate("localStorage.length")).toBe(0);
  });

  it("splits a beacon that the browser refuses, and keeps what it refuses still", async () => {
    await context.addInitScript(`
      delete Request.prototype.keepalive;
      window.beacons = [];
      navigator.sendBeacon = (url, body) => {
        const { events } = JSON.parse(body);
        window.beacons.push(events.map(({ event }) => event.n));
        return events.length < 3;
      };
    `);
    const page = await open();
    await send(page, 1, 1);
    await flush(page);
    gateway.answer = () => ({ status: 503 });
    await send(page, 2, 5);
    await page.evaluate("window.dispatchEvent(new Event('pagehide'))");
    expect(await page.evaluate("window.beacons")).toEqual([
      [2, 3, 4, 5],
      [2, 3],
      [4, 5],
    ]);
    gateway.answer = () => undefined;
    await flush(page);
    expect(firsts(gateway)).toEqual(numbers(1, 5));
  });

  it("has two tabs take turns, and tells each the outcome of its own events", async () => {
    const pages = await Promise.all([open({ maxBatchEvents: 7 }), open({ maxBatchEvents: 7 })]);
    await Promise.all(pages.map((page, i) => send(page, 100 * i + 1, 100 * i + 50)));
    await Promise.all(pages.map(flush));
    expect(gateway.mostAtOnce).toBe(1);
    expect(gateway.log).toHaveLength(100);
    for (const [i, page] of pages.entries()) {
      expect(Object.keys(await endings(page))).toHaveLength(50);
      const own = firsts(gateway).filter((n) => n > 100 * i && n <= 100 * i + 50);
      expect(own).toEqual(numbers(100 * i + 1, 100 * i + 50));
    }
  });

  it("has the other tab send what a closed one left", async () => {
    const [leaving, staying] = await Promise.all([open(), open()]);
    gateway.answer = () => ({ status: 503 });
    await send(leaving, 1, 5);
    await gateway.requests(1);
    await leaving.close();
    gateway.answer = () => undefined;
    await send(staying, 6, 6);
    await gateway.stored(6);
    expect(firsts(gateway)).toEqual(numbers(1, 6));
  });

  it("gets a new token once when the old one is refused", async () => {
    gateway.answer = ({ token }) => (token === "token-1" ? { status: 401 } : undefined);
    const page = await open();
    await send(page, 1, 5);
    await flush(page);
    expect(gateway.received.map(({ token }) => token)).toEqual(["token-1", "token-2"]);
    expect(await page.evaluate("window.retries")).toEqual([]);
  });

  it("goes on asking, at its pace, while new tokens are refused too", async () => {
    gateway.answer = (_, count) => (count < 4 ? { status: 401 } : undefined);
    const page = await open();
    await send(page, 1, 1);
    await flush(page);
    expect(gateway.received).toHaveLength(4);
    expect(await page.evaluate("window.retries.length")).toBe(2);
  });

  it.each([
    ["seconds", () => "1"],
    ["a date", () => new Date(Date.now() + 2000).toUTCString()],
  ])("comes back no earlier than Retry-After says in %s", async (_form, value) => {
    let earliest = 0;
    gateway.answer = (_, count) => {
      if (count > 1) return undefined;
      const header = value();
      earliest = header === "1" ? Date.now() + 1000 : Date.parse(header);
      return { status: 429, headers: { "Retry-After": header } };
    };
    const page = await open();
    await send(page, 1, 3);
    await gateway.requests(1);
    await send(page, 4, 4);
    await page.evaluate("window.dispatchEvent(new Event('online'))");
    await flush(page);
    expect(gateway.received[1]?.at).toBeGreaterThanOrEqual(earliest - 1);
    expect(gateway.log.map(({ event }) => event.n)).toEqual([1, 2, 3, 4]);
  });

  it("repeats what ended with 503, whether or not it was stored", async () => {
    gateway.answer = (_, count) => (count < 4 ? { status: 503, stores: count === 2 } : undefined);
    const page = await open();
    await send(page, 1, 4);
    await flush(page);
    expect(gateway.received).toHaveLength(4);
    expect(firsts(gateway)).toEqual([1, 2, 3, 4]);
    expectOneIdEach(gateway);
  });

  it("repeats only those events of a batch whose fate is unknown", async () => {
    gateway.answer = ({ events }, count) =>
      count === 1
        ? {
            status: 503,
            body: {
              results: events.map(({ event }) => ({
                status: event.n === 2 ? "unknown" : "stored",
                error: "",
              })),
            },
          }
        : undefined;
    const page = await open();
    await send(page, 1, 3);
    await flush(page);
    expect(gateway.received.map(({ events }) => events.map(({ event }) => event.n))).toEqual([
      [1, 2, 3],
      [2],
    ]);
  });

  it("halves a batch that is too large, and refuses an event that is too large alone", async () => {
    gateway.answer = ({ events }) =>
      events.length > 3 || events.some(({ event }) => event.n === 6) ? { status: 413 } : undefined;
    const page = await open();
    await send(page, 1, 10);
    await flush(page);
    expect(gateway.log.map(({ event }) => event.n)).toEqual([1, 2, 3, 4, 5, 7, 8, 9, 10]);
    expect(await page.evaluate("window.refused")).toMatchObject([{ event: { n: 6 }, error: "scripted" }]);
    expect((await endings(page))["6"]).toBe("refused");
  });

  it("drops only the refused events of a batch, and reports them", async () => {
    const refuseOdd = ({ events }: Received) => ({
      status: 400,
      body: {
        errors: [],
        results: events.map(({ event }) =>
          event.n % 2 === 1 ? { status: "refused", error: `odd ${event.n}` } : { status: "stored" },
        ),
      },
    });
    gateway.answer = refuseOdd;
    const page = await open();
    await send(page, 1, 4);
    await flush(page);
    expect(gateway.received).toHaveLength(1);
    expect(await endings(page)).toEqual({ 1: "refused", 2: "stored", 3: "refused", 4: "stored" });
    expect(await page.evaluate("window.refused.map(({ error }) => error)")).toEqual(["odd 1", "odd 3"]);
  });

  it("refuses at once what is no event, and more than may wait", async () => {
    gateway.answer = () => ({ status: 503 });
    const page = await open({ maxQueued: 2 });
    const ask = (event: string): Promise<unknown> =>
      page.evaluate(`window.producer.send(${event}).then(({ status, error }) => status + ": " + error)`);
    for (const event of ["null", "[1]", "'text'", "undefined", "{ n: 1n }"])
      expect(await ask(event)).toBe("refused: an event is an object that JSON can hold");
    await send(page, 1, 2);
    expect(await ask("{ n: 3 }")).toBe("refused: too many events wait");
  });

  it("keeps for the next page what it could not send before it was closed", async () => {
    gateway.answer = () => ({ status: 503 });
    const page = await open();
    await send(page, 1, 3);
    await page.evaluate("window.producer.close()");
    expect(await endings(page)).toEqual({ 1: "kept", 2: "kept", 3: "kept" });
    expect(await page.evaluate("window.producer.send({}).then(({ status }) => status)")).toBe("refused");
    gateway.answer = () => undefined;
    await start(page, { url: gateway.url });
    await gateway.stored(3);
    expect(firsts(gateway)).toEqual([1, 2, 3]);
  });

  it("does without IndexedDB, locks and channels", async () => {
    await context.addInitScript(`
      indexedDB.open = () => { throw new Error("not here"); };
      delete Navigator.prototype.locks;
      delete window.BroadcastChannel;
    `);
    const page = await open({ maxBatchEvents: 2 });
    await send(page, 1, 5);
    await flush(page);
    expect(gateway.log.map(({ event }) => event.n)).toEqual([1, 2, 3, 4, 5]);
    gateway.answer = () => ({ status: 503 });
    await send(page, 6, 6);
    await page.evaluate("window.producer.close()");
    expect((await endings(page))["6"]).toBe("refused");
  });
});
