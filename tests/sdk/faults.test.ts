/** The browser SDK in a real Chromium in which one thing at a time is missing, throws, or never answers. */
import { jest } from "@jest/globals";
import type { Browser, BrowserContext, Page } from "playwright-core";
import { describeBrowser, launchBrowser } from "../support/browser.ts";
import { startFakeGateway, type FakeGateway } from "./fake-gateway.ts";
import { endings, flush, numbers, openShop, send, start, type Shop } from "./shop.ts";

jest.setTimeout(60_000);

/** Long waits of the page take a fiftieth of their time. */
const IN_A_HURRY = `
  const { setTimeout: real } = window;
  window.setTimeout = (action, ms = 0) => real(action, ms >= 900 ? ms / 50 : ms);
`;

const set = (owner: string, name: string, value: string): string =>
  `Object.defineProperty(${owner}, "${name}", { configurable: true, writable: true, value: ${value} });`;
const throws = (owner: string, name: string): string =>
  `Object.defineProperty(${owner}, "${name}", { get() { throw new DOMException("no", "SecurityError"); } });`;
const THROW = "() => { throw new DOMException('no', 'SecurityError'); }";
const REJECT = "() => Promise.reject(new DOMException('no', 'SecurityError'))";
const HANG = "() => new Promise(() => {})";

/** Transactions of these modes that begin while `isBad` is set are aborted. */
const abortWrites = (isBad: string): string => `
  const { transaction } = IDBDatabase.prototype;
  let writes = 0;
  IDBDatabase.prototype.transaction = function (store, mode) {
    const made = transaction.call(this, store, mode);
    if (mode === "readwrite" && (${isBad})) queueMicrotask(() => made.abort());
    return made;
  };
`;

const FAULTS: readonly (readonly [string, string])[] = [
  ["locks are missing", "delete Navigator.prototype.locks;"],
  ["locks throw when they are looked at", throws("navigator", "locks")],
  ["locks throw", set("LockManager.prototype", "request", THROW)],
  ["locks reject, as in a sandboxed frame", set("LockManager.prototype", "request", REJECT)],
  ["locks never come", set("LockManager.prototype", "request", HANG)],
  ["locks resolve without a turn", set("LockManager.prototype", "request", "async () => undefined")],
  ["IndexedDB is missing", set("window", "indexedDB", "undefined")],
  ["IndexedDB throws when it is looked at", throws("window", "indexedDB")],
  ["the database can't be opened", set("IDBFactory.prototype", "open", THROW)],
  [
    "opening the database fails",
    `const { open } = IDBFactory.prototype; IDBFactory.prototype.open = function (name) { return open.call(this, name, 1e20 / 3); };`,
  ],
  ["opening the database never ends", set("IDBFactory.prototype", "open", "() => ({})")],
  [
    "the database has another version",
    `indexedDB.open("stationgate GATEWAY/stations/clicks/produce/beacon", 7);`,
  ],
  ["transactions throw", set("IDBDatabase.prototype", "transaction", THROW)],
  [
    "transactions never end",
    set(
      "IDBDatabase.prototype",
      "transaction",
      "() => ({ objectStore: () => ({ add() {}, count: () => ({}), openCursor: () => ({}), index: () => ({ getAllKeys: () => ({}) }), transaction: {} }) })",
    ),
  ],
  ["one transaction fails", abortWrites("writes++ === 0")],
  ["every second transaction fails", abortWrites("writes++ % 2 === 1")],
  ["each transaction that writes fails", abortWrites("true")],
  [
    "there is no room",
    set("IDBObjectStore.prototype", "add", "() => { throw new DOMException('full', 'QuotaExceededError'); }"),
  ],
  ["nothing can be deleted", set("IDBObjectStore.prototype", "delete", THROW)],
  ["nothing can be read", set("IDBObjectStore.prototype", "openCursor", THROW)],
  ["transactions can't be committed by hand", "delete IDBTransaction.prototype.commit;"],
  ["localStorage is missing", set("window", "localStorage", "undefined")],
  ["localStorage throws when it is looked at", throws("window", "localStorage")],
  ["localStorage is full", set("Storage.prototype", "setItem", THROW)],
  [
    "localStorage gives and takes nothing",
    set("Storage.prototype", "getItem", THROW) + set("Storage.prototype", "removeItem", THROW),
  ],
  ...["nonsense", "null", "7", '{"a":1}', '[1,null,{"id":1},{"id":"a\\"b","json":"{}","bytes":1}]'].map(
    (text) =>
      [
        `localStorage holds ${text}`,
        `localStorage.setItem("stationgate GATEWAY/stations/clicks/produce/beacon 1", ${JSON.stringify(text)});`,
      ] as const,
  ),
  ["channels are missing", "delete window.BroadcastChannel;"],
  ["channels throw", set("window", "BroadcastChannel", "class { constructor() { throw new Error('no'); } }")],
  ["channels take nothing", set("BroadcastChannel.prototype", "postMessage", THROW)],
  ["crypto is missing", set("window", "crypto", "undefined")],
  ["crypto throws", set("Crypto.prototype", "getRandomValues", THROW)],
  ["AbortController is missing", set("window", "AbortController", "undefined")],
  ["Request is missing", set("window", "Request", "undefined")],
  ["pages don't tell that they are hidden", throws("document", "visibilityState")],
  ["nobody can listen to the document", set("document", "addEventListener", THROW)],
  ["nobody can listen to the window", set("window", "addEventListener", THROW)],
  ...(["() => { throw new TypeError('no'); }", REJECT, HANG] as const).map(
    (fault) =>
      [
        `the first fetch is ${fault}`,
        `const { fetch } = window; let calls = 0; window.fetch = (...given) => (calls++ === 0 ? (${fault})() : fetch(...given));`,
      ] as const,
  ),
  [
    "an answer never ends",
    `const { text } = Response.prototype; let texts = 0; Response.prototype.text = function () { return texts++ === 0 ? new Promise(() => {}) : text.call(this); };`,
  ],
  ...[
    "() => { throw new TypeError('no'); }",
    REJECT,
    HANG,
    "() => ''",
    "() => 7",
    "() => ({ a: 1 })",
    "() => 'x'.repeat(5e6)",
  ].map(
    (fault) =>
      [
        `getToken is first ${fault}`,
        `let asked = 0; window.freshToken = () => (asked++ < 2 ? (${fault})() : "good");`,
      ] as const,
  ),
];

describeBrowser("the browser SDK in a browser that fails it", () => {
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
  const received = (): ReadonlySet<number> => new Set(gateway.log.map(({ event }) => event.n));
  const all = (page: Page, status: string): Promise<unknown> =>
    page.waitForFunction(
      `Object.values(window.outcomes).length > 0 && Object.values(window.outcomes).every((one) => one.status === "${status}")`,
    );

  it.each(FAULTS)("sends all where %s", async (_, fault) => {
    await context.addInitScript(`(() => { ${IN_A_HURRY} ${fault.replaceAll("GATEWAY", gateway.url)} })();`);
    const page = await open({ maxBatchEvents: 2 });
    await send(page, 1, 3);
    await flush(page);
    await send(page, 4, 5);
    await flush(page);
    expect(received()).toEqual(new Set(numbers(1, 5)));
    expect(Object.values(await endings(page))).toEqual(Array(5).fill("stored"));
    // No event is sent without end.
    expect(gateway.log.length).toBeLessThan(15);
    await page.evaluate("window.dispatchEvent(new Event('pagehide'))");
    await page.evaluate("window.producer.close()");
  });

  it.each([
    ["sendBeacon is missing", "delete Navigator.prototype.sendBeacon;"],
    ["sendBeacon throws", set("Navigator.prototype", "sendBeacon", THROW)],
    ["Request is missing", set("window", "Request", "undefined")],
    [
      "a fetch that may outlive its page rejects",
      `const { fetch } = window; window.fetch = (url, init) => (init.keepalive ? Promise.reject(new TypeError("quota")) : fetch(url, init));`,
    ],
    ["IndexedDB is missing", set("window", "indexedDB", "undefined")],
  ])("keeps all of a page that goes away where %s", async (_, fault) => {
    await context.addInitScript(fault);
    const page = await open();
    await send(page, 1, 1);
    await flush(page);
    gateway.answer = () => ({ status: 503, stores: false });
    await send(page, 2, 30, "x".repeat(3000));
    await page.goto(`${shop.url}/elsewhere`);
    gateway.answer = () => undefined;
    await page.goto(shop.url);
    await start(page, { url: gateway.url });
    await gateway.stored(30);
    expect(received()).toEqual(new Set(numbers(1, 30)));
    await flush(page);
  });

  it("lets the other tabs send while getToken of one never settles", async () => {
    const hung = await context.newPage();
    await hung.goto(shop.url);
    await hung.evaluate("window.freshToken = () => new Promise(() => {})");
    await start(hung, { url: gateway.url });
    await send(hung, 1, 3);
    const other = await open();
    await send(other, 4, 6);
    await flush(other);
    expect(received()).toEqual(new Set(numbers(1, 6)));
    await all(hung, "stored");
  });

  it("goes without a turn where the tab that has it is frozen", async () => {
    await context.addInitScript(`(() => { ${IN_A_HURRY} })()`);
    const frozen = await context.newPage();
    await frozen.goto(shop.url);
    await frozen.evaluate(
      `new Promise((held) => void navigator.locks.request("stationgate ${gateway.url}/stations/clicks/produce/beacon",
        () => (held(), new Promise(() => {}))))`,
    );
    const page = await open();
    await send(page, 1, 3);
    await flush(page);
    expect(received()).toEqual(new Set(numbers(1, 3)));
  });

  it("says kept, not refused, of an event whose first transaction failed", async () => {
    await context.addInitScript(abortWrites("location.hash !== '#next' && writes++ < 1"));
    gateway.answer = () => ({ status: 503 });
    const page = await open();
    await send(page, 1, 3);
    await page.evaluate("window.producer.close()");
    expect(await endings(page)).toEqual({ 1: "kept", 2: "kept", 3: "kept" });
    gateway.answer = () => undefined;
    await page.goto(`${shop.url}/#next`);
    await page.reload();
    await start(page, { url: gateway.url });
    await gateway.stored(3);
  });

  it("says unknown of an event that nothing keeps, and for which no answer came", async () => {
    await context.addInitScript(set("window", "indexedDB", "undefined"));
    gateway.answer = () => ({ status: 200, text: "<html>", stores: false });
    const page = await open({ apiKey: "key" });
    await send(page, 1, 1);
    await page.waitForFunction("window.retries.length > 0");
    await page.evaluate("window.producer.close()");
    expect(await endings(page)).toEqual({ 1: "unknown" });
    expect(await page.evaluate("localStorage.length")).toBe(0);
  });

  it("tells two tabs the outcomes of their own events without channels and locks", async () => {
    await context.addInitScript(
      `(() => { ${IN_A_HURRY} delete window.BroadcastChannel; delete Navigator.prototype.locks; })()`,
    );
    const pages = await Promise.all([open(), open()]);
    await Promise.all(pages.map((page, i) => send(page, 10 * i + 1, 10 * i + 9)));
    await Promise.all(pages.map(flush));
    for (const page of pages) expect(Object.values(await endings(page))).toEqual(Array(9).fill("stored"));
  });

  it("sends what it still knows when the user has deleted the site's data", async () => {
    await context.addInitScript(`(() => { ${IN_A_HURRY} })()`);
    gateway.answer = () => ({ status: 503 });
    const page = await open({ retryDelay: 500, maxRetryDelay: 500 });
    await send(page, 1, 3);
    await gateway.requests(1);
    await page.evaluate(
      `indexedDB.databases().then((all) => Promise.all(all.map(({ name }) => new Promise((done) => (indexedDB.deleteDatabase(name).onsuccess = done)))))`,
    );
    gateway.answer = () => undefined;
    await flush(page);
    expect(received()).toEqual(new Set([1, 2, 3]));
  });

  it("has one bound for the queue of all tabs, and of earlier pages", async () => {
    gateway.answer = () => ({ status: 503 });
    const [one, two] = await Promise.all([open({ maxQueued: 10 }), open({ maxQueued: 10 })]);
    await send(one, 1, 6);
    await gateway.requests(1);
    await send(two, 7, 16);
    await two.waitForFunction("Object.keys(window.outcomes).length === 6");
    expect(await endings(two)).toEqual(Object.fromEntries(numbers(11, 16).map((n) => [n, "refused"])));
    await one.close();
    const three = await open({ maxQueued: 10 });
    await send(three, 17, 17);
    await three.waitForFunction("window.outcomes[17]");
    expect(await three.evaluate("window.outcomes[17].error")).toBe("too many events wait");
    gateway.answer = () => undefined;
    await flush(two);
    expect(received()).toEqual(new Set(numbers(1, 10)));
    await send(three, 18, 18);
    await flush(three);
    expect((await endings(three))["18"]).toBe("stored");
  });

  it("goes on where the page's own callbacks throw", async () => {
    const page = await open();
    await page.evaluate(`(() => {
      const fail = () => { throw new Error("the page's"); };
      window.producer.close();
      window.producer = Stationgate.createProducer({
        url: "${gateway.url}", station: "clicks", apiKey: "key", linger: 5, retryDelay: 20, maxRetryDelay: 40,
        onRetry: fail, onRefused: fail,
      });
    })()`);
    gateway.answer = ({ events }, count) => {
      if (count < 3) return { status: 503 };
      return events.some(({ event }) => event.n === 2) ? { status: 413 } : undefined;
    };
    await send(page, 1, 3);
    await flush(page);
    expect(await endings(page)).toEqual({ 1: "stored", 2: "refused", 3: "stored" });
  });
});
