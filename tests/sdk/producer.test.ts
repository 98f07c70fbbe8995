/** The browser SDK in a real Chromium, with a fake gateway that answers as the test says. */
import { jest } from "@jest/globals";
import type { Page } from "playwright-core";
import { describeBrowser } from "../support/browser.ts";
import type { FakeGateway, Received } from "./fake-gateway.ts";
import { endings, flush, numbers, send, start, useShop } from "./shop.ts";

jest.setTimeout(60_000);

/** The numbers of the events in the order in which they first arrived. */
const firsts = ({ log }: FakeGateway): number[] => [...new Set(log.map(({ event }) => event.n))];

/** Every event has one id, and two events have different ids. */
const expectOneIdEach = ({ log }: FakeGateway): void => {
  const pairs = new Set(log.map(({ id, event }) => `${id} ${event.n}`));
  expect(pairs.size).toBe(new Set(log.map(({ id }) => id)).size);
  expect(pairs.size).toBe(new Set(log.map(({ event }) => event.n)).size);
};

describeBrowser("the browser SDK", () => {
  const rig = useShop();

  /** Leaves the page, as when the user follows a link. */
  const goAway = (page: Page): Promise<unknown> => page.goto(`${rig.shop.url}/elsewhere`);

  it("sends batches of maxBatchEvents events, in order, one at a time", async () => {
    const page = await rig.open({ maxBatchEvents: 10 });
    await send(page, 1, 35);
    await flush(page);
    expect(rig.gateway.received.map(({ events }) => events.length)).toEqual([10, 10, 10, 5]);
    expect(rig.gateway.log.map(({ event }) => event.n)).toEqual(numbers(1, 35));
    expect(rig.gateway.mostAtOnce).toBe(1);
    expect(new Set(Object.values(await endings(page)))).toEqual(new Set(["stored"]));
    expect(await page.evaluate("window.outcomes[1]")).toEqual({
      status: "stored",
      id: rig.gateway.log[0]?.id,
      partition: 0,
      offset: "0",
      timestamp: 1,
    });
  });

  it("sends batches of maxBatchBytes bytes, and a larger event alone", async () => {
    const page = await rig.open({ maxBatchBytes: 1000 });
    await send(page, 1, 3, "x".repeat(400));
    await send(page, 4, 4, "x".repeat(2000));
    await send(page, 5, 5);
    await flush(page);
    expect(rig.gateway.received.map(({ events }) => events.map(({ event }) => event.n))).toEqual([
      [1, 2],
      [3],
      [4],
      [5],
    ]);
  });

  it("sends a batch that is not full after linger ms", async () => {
    const page = await rig.open({ linger: 30 });
    await send(page, 1, 3);
    await rig.gateway.stored(3);
    expect(rig.gateway.received).toHaveLength(1);
  });

  it("needs no preflight, and sends a UUIDv7 with each event", async () => {
    const page = await rig.open({ apiKey: "key" });
    await send(page, 1, 2);
    await flush(page);
    expect(rig.gateway.received).toMatchObject([
      { contentType: "text/plain;charset=UTF-8", origin: rig.shop.url },
    ]);
    for (const { id } of rig.gateway.log)
      expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  });

  it("sends the queued events after a reload", async () => {
    rig.gateway.answer = () => ({ status: 503 });
    const page = await rig.open();
    await send(page, 1, 250);
    await rig.gateway.requests(1);
    await page.reload();
    rig.gateway.answer = () => undefined;
    await start(page, { url: rig.gateway.url });
    await rig.gateway.stored(250);
    expect(firsts(rig.gateway)).toEqual(numbers(1, 250));
    expectOneIdEach(rig.gateway);
  });

  it("sends the queued events when the browser is online again", async () => {
    const page = await rig.open({ retryDelay: 60_000, maxRetryDelay: 120_000 });
    await rig.context.setOffline(true);
    await send(page, 1, 20);
    await page.waitForFunction("window.retries.length > 0");
    await send(page, 21, 30);
    await rig.context.setOffline(false);
    await flush(page);
    expect(rig.gateway.log.map(({ event }) => event.n)).toEqual(numbers(1, 30));
  });

  it("loses no event when the tab closes right after a send", async () => {
    const page = await rig.open();
    await send(page, 1, 1);
    await flush(page);
    await page.evaluate("void (window.producer.send({ n: 2 }), window.producer.send({ n: 3 }))");
    await page.close({ runBeforeUnload: true });
    await rig.gateway.stored(3);
    expect(firsts(rig.gateway)).toEqual([1, 2, 3]);
  });

  it("loses no event when the user leaves the page during a request", async () => {
    const page = await rig.open({ maxBatchEvents: 5 });
    rig.gateway.answer = () => ({ status: 200, stores: false, after: new Promise(() => undefined) });
    await send(page, 1, 12);
    await rig.gateway.requests(1);
    rig.gateway.answer = () => undefined;
    await goAway(page);
    await rig.gateway.stored(12);
    expect(firsts(rig.gateway)).toEqual(numbers(1, 12));
    await page.goto(rig.shop.url);
    await start(page, { url: rig.gateway.url });
    await flush(page);
    expectOneIdEach(rig.gateway);
  });

  it("keeps events that exceed the browser's limit at the end of a page", async () => {
    rig.gateway.answer = ({ events }) =>
      events.some(({ event }) => event.n > 1) ? { status: 503 } : undefined;
    const page = await rig.open({ retryDelay: 60_000, maxRetryDelay: 120_000 });
    await send(page, 1, 1);
    await flush(page);
    await send(page, 2, 31, "x".repeat(4000));
    await page.waitForFunction("window.retries.length > 0");
    rig.gateway.answer = () => undefined;
    await goAway(page);
    await rig.gateway.stored(10);
    expect(firsts(rig.gateway).length).toBeLessThan(20);
    await page.goto(rig.shop.url);
    await start(page, { url: rig.gateway.url });
    await rig.gateway.stored(31);
    expect(firsts(rig.gateway)).toEqual(numbers(1, 31));
    expectOneIdEach(rig.gateway);
  });

  it("sends beacons if fetch has no keepalive, and sends their events again", async () => {
    await rig.context.addInitScript("delete Request.prototype.keepalive");
    const page = await rig.open();
    await send(page, 1, 1);
    await flush(page);
    rig.gateway.answer = () => ({ status: 503, stores: true });
    await send(page, 2, 29, "x".repeat(3000));
    await goAway(page);
    await rig.gateway.stored(2);
    const before = rig.gateway.received.length;
    rig.gateway.answer = () => undefined;
    await page.goto(rig.shop.url);
    await start(page, { url: rig.gateway.url });
    await rig.gateway.requests(before + 1);
    await rig.gateway.stored(29);
    expect(firsts(rig.gateway)).toEqual(numbers(1, 29));
    expectOneIdEach(rig.gateway);
  });

  it("saves events in localStorage if the page ends before IndexedDB has opened", async () => {
    await rig.context.addInitScript(`
      const { open } = indexedDB;
      // Never opens, as if the page ended at once.
      indexedDB.open = (...given) => (location.hash === "#slow" ? {} : open.apply(indexedDB, given));
    `);
    const page = await rig.context.newPage();
    await page.goto(`${rig.shop.url}/#slow`);
    await start(page, { url: rig.gateway.url, apiKey: "key" });
    await send(page, 1, 40, "x".repeat(3000));
    await goAway(page);
    await page.goto(rig.shop.url);
    await start(page, { url: rig.gateway.url, apiKey: "key" });
    await rig.gateway.stored(40);
    await flush(page);
    expect(firsts(rig.gateway)).toEqual(numbers(1, 40));
    expectOneIdEach(rig.gateway);
    expect(await page.evaluate("localStorage.length")).toBe(0);
  });

  it("splits a beacon that the browser refuses, and keeps its events", async () => {
    await rig.context.addInitScript(`
      delete Request.prototype.keepalive;
      window.beacons = [];
      navigator.sendBeacon = (url, body) => {
        const { events } = JSON.parse(body);
        window.beacons.push(events.map(({ event }) => event.n));
        return events.length < 3;
      };
    `);
    const page = await rig.open();
    await send(page, 1, 1);
    await flush(page);
    rig.gateway.answer = () => ({ status: 503 });
    await send(page, 2, 5);
    await page.evaluate("window.dispatchEvent(new Event('pagehide'))");
    expect(await page.evaluate("window.beacons")).toEqual([
      [2, 3, 4, 5],
      [2, 3],
      [4, 5],
    ]);
    rig.gateway.answer = () => undefined;
    await flush(page);
    expect(firsts(rig.gateway)).toEqual(numbers(1, 5));
  });

  it("lets two tabs send in turn, and gives each the outcomes of its own events", async () => {
    const pages = await Promise.all([rig.open({ maxBatchEvents: 7 }), rig.open({ maxBatchEvents: 7 })]);
    await Promise.all(pages.map((page, i) => send(page, 100 * i + 1, 100 * i + 50)));
    await Promise.all(pages.map(flush));
    expect(rig.gateway.mostAtOnce).toBe(1);
    expect(rig.gateway.log).toHaveLength(100);
    for (const [i, page] of pages.entries()) {
      expect(Object.keys(await endings(page))).toHaveLength(50);
      const own = firsts(rig.gateway).filter((n) => n > 100 * i && n <= 100 * i + 50);
      expect(own).toEqual(numbers(100 * i + 1, 100 * i + 50));
    }
  });

  it("sends the events of a closed tab from another tab", async () => {
    const [leaving, staying] = await Promise.all([rig.open(), rig.open()]);
    rig.gateway.answer = () => ({ status: 503 });
    await send(leaving, 1, 5);
    await rig.gateway.requests(1);
    await leaving.close();
    rig.gateway.answer = () => undefined;
    await send(staying, 6, 6);
    await rig.gateway.stored(6);
    expect(firsts(rig.gateway)).toEqual(numbers(1, 6));
  });

  it("gets one new token when the old token is refused", async () => {
    rig.gateway.answer = ({ token }) => (token === "token-1" ? { status: 401 } : undefined);
    const page = await rig.open();
    await send(page, 1, 5);
    await flush(page);
    expect(rig.gateway.received.map(({ token }) => token)).toEqual(["token-1", "token-2"]);
    expect(await page.evaluate("window.retries")).toEqual([]);
  });

  it("backs off while new tokens are refused too", async () => {
    rig.gateway.answer = (_, count) => (count < 4 ? { status: 401 } : undefined);
    const page = await rig.open();
    await send(page, 1, 1);
    await flush(page);
    expect(rig.gateway.received).toHaveLength(4);
    expect(await page.evaluate("window.retries.length")).toBe(2);
  });

  it.each([
    ["seconds", () => "1"],
    ["a date", () => new Date(Date.now() + 2000).toUTCString()],
  ])("does not retry before Retry-After in %s", async (_form, value) => {
    let earliest = 0;
    rig.gateway.answer = (_, count) => {
      if (count > 1) return undefined;
      const header = value();
      earliest = header === "1" ? Date.now() + 1000 : Date.parse(header);
      return { status: 429, headers: { "Retry-After": header } };
    };
    const page = await rig.open();
    await send(page, 1, 3);
    await rig.gateway.requests(1);
    await send(page, 4, 4);
    await page.evaluate("window.dispatchEvent(new Event('online'))");
    await flush(page);
    expect(rig.gateway.received[1]?.at).toBeGreaterThanOrEqual(earliest - 1);
    expect(rig.gateway.log.map(({ event }) => event.n)).toEqual([1, 2, 3, 4]);
  });

  it("sends a batch again after a 503, stored or not", async () => {
    rig.gateway.answer = (_, count) => (count < 4 ? { status: 503, stores: count === 2 } : undefined);
    const page = await rig.open();
    await send(page, 1, 4);
    await flush(page);
    expect(rig.gateway.received).toHaveLength(4);
    expect(firsts(rig.gateway)).toEqual([1, 2, 3, 4]);
    expectOneIdEach(rig.gateway);
  });

  it("sends again only the events with an unknown result", async () => {
    rig.gateway.answer = ({ events }, count) =>
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
    const page = await rig.open();
    await send(page, 1, 3);
    await flush(page);
    expect(rig.gateway.received.map(({ events }) => events.map(({ event }) => event.n))).toEqual([
      [1, 2, 3],
      [2],
    ]);
  });

  it("halves a batch that is too large, and refuses an event that is too large alone", async () => {
    rig.gateway.answer = ({ events }) =>
      events.length > 3 || events.some(({ event }) => event.n === 6) ? { status: 413 } : undefined;
    const page = await rig.open();
    await send(page, 1, 10);
    await flush(page);
    expect(rig.gateway.log.map(({ event }) => event.n)).toEqual([1, 2, 3, 4, 5, 7, 8, 9, 10]);
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
    rig.gateway.answer = refuseOdd;
    const page = await rig.open();
    await send(page, 1, 4);
    await flush(page);
    expect(rig.gateway.received).toHaveLength(1);
    expect(await endings(page)).toEqual({ 1: "refused", 2: "stored", 3: "refused", 4: "stored" });
    expect(await page.evaluate("window.refused.map(({ error }) => error)")).toEqual(["odd 1", "odd 3"]);
  });

  it("refuses values that are not events, and events beyond maxQueued, at once", async () => {
    rig.gateway.answer = () => ({ status: 503 });
    const page = await rig.open({ maxQueued: 2 });
    const ask = (event: string): Promise<unknown> =>
      page.evaluate(`window.producer.send(${event}).then(({ status, error }) => status + ": " + error)`);
    for (const event of ["null", "[1]", "'text'", "undefined", "{ n: 1n }"])
      expect(await ask(event)).toBe("refused: an event is an object that JSON can hold");
    await send(page, 1, 2);
    expect(await ask("{ n: 3 }")).toBe("refused: too many events wait");
  });

  it("keeps unsent events for the next page when it is closed", async () => {
    rig.gateway.answer = () => ({ status: 503 });
    const page = await rig.open();
    await send(page, 1, 3);
    await page.evaluate("window.producer.close()");
    expect(await endings(page)).toEqual({ 1: "kept", 2: "kept", 3: "kept" });
    expect(await page.evaluate("window.producer.send({}).then(({ status }) => status)")).toBe("refused");
    rig.gateway.answer = () => undefined;
    await start(page, { url: rig.gateway.url });
    await rig.gateway.stored(3);
    expect(firsts(rig.gateway)).toEqual([1, 2, 3]);
  });

  it("works without IndexedDB, locks and channels", async () => {
    await rig.context.addInitScript(`
      indexedDB.open = () => { throw new Error("not here"); };
      delete Navigator.prototype.locks;
      delete window.BroadcastChannel;
    `);
    const page = await rig.open({ maxBatchEvents: 2 });
    await send(page, 1, 5);
    await flush(page);
    expect(rig.gateway.log.map(({ event }) => event.n)).toEqual([1, 2, 3, 4, 5]);
    rig.gateway.answer = () => ({ status: 503 });
    await send(page, 6, 6);
    await page.evaluate("window.producer.close()");
    expect((await endings(page))["6"]).toBe("refused");
  });
});
