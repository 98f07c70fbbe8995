/** The browser SDK in a real Chromium in which one API is missing, throws, or never answers. */
import { jest } from "@jest/globals";
import type { Page } from "playwright-core";
import { describeBrowser } from "../support/browser.ts";
import { endings, flush, numbers, send, start, useShop } from "./shop.ts";

jest.setTimeout(60_000);

/** Shortens long timers of the page to a fiftieth. */
const SHORT_TIMERS = `
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

/** Aborts transactions that write while the expression `isBad` is true. */
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
  ["locks throw on access", throws("navigator", "locks")],
  ["locks throw", set("LockManager.prototype", "request", THROW)],
  ["locks reject, as in a sandboxed frame", set("LockManager.prototype", "request", REJECT)],
  ["locks are never granted", set("LockManager.prototype", "request", HANG)],
  ["locks resolve without a call", set("LockManager.prototype", "request", "async () => undefined")],
  ["IndexedDB is missing", set("window", "indexedDB", "undefined")],
  ["IndexedDB throws on access", throws("window", "indexedDB")],
  ["the database can't be opened", set("IDBFactory.prototype", "open", THROW)],
  [
    "opening the database fails",
    `const { open } = IDBFactory.prototype; IDBFactory.prototype.open = function (name) { return open.call(this, name, 1e20 / 3); };`,
  ],
  ["the database never opens", set("IDBFactory.prototype", "open", "() => ({})")],
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
  ["every transaction that writes fails", abortWrites("true")],
  [
    "the storage is full",
    set("IDBObjectStore.prototype", "add", "() => { throw new DOMException('full', 'QuotaExceededError'); }"),
  ],
  ["entries can't be deleted", set("IDBObjectStore.prototype", "delete", THROW)],
  ["entries can't be read", set("IDBObjectStore.prototype", "openCursor", THROW)],
  ["transactions have no commit()", "delete IDBTransaction.prototype.commit;"],
  ["localStorage is missing", set("window", "localStorage", "undefined")],
  ["localStorage throws on access", throws("window", "localStorage")],
  ["localStorage is full", set("Storage.prototype", "setItem", THROW)],
  [
    "localStorage can't be read or cleared",
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
  ["channels refuse messages", set("BroadcastChannel.prototype", "postMessage", THROW)],
  ["crypto is missing", set("window", "crypto", "undefined")],
  ["crypto throws", set("Crypto.prototype", "getRandomValues", THROW)],
  ["AbortController is missing", set("window", "AbortController", "undefined")],
  ["Request is missing", set("window", "Request", "undefined")],
  ["visibilityState throws", throws("document", "visibilityState")],
  ["the document refuses listeners", set("document", "addEventListener", THROW)],
  ["the window refuses listeners", set("window", "addEventListener", THROW)],
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

describeBrowser("the browser SDK in a faulty browser", () => {
  const rig = useShop();
  const received = (): ReadonlySet<number> => new Set(rig.gateway.log.map(({ event }) => event.n));
  const all = (page: Page, status: string): Promise<unknown> =>
    page.waitForFunction(
      `Object.values(window.outcomes).length > 0 && Object.values(window.outcomes).every((one) => one.status === "${status}")`,
    );

  it.each(FAULTS)("sends all events if %s", async (_, fault) => {
    await rig.context.addInitScript(
      `(() => { ${SHORT_TIMERS} ${fault.replaceAll("GATEWAY", rig.gateway.url)} })();`,
    );
    const page = await rig.open({ maxBatchEvents: 2 });
    await send(page, 1, 3);
    await flush(page);
    await send(page, 4, 5);
    await flush(page);
    expect(received()).toEqual(new Set(numbers(1, 5)));
    expect(Object.values(await endings(page))).toEqual(Array(5).fill("stored"));
    // No event is sent again and again.
    expect(rig.gateway.log.length).toBeLessThan(15);
    await page.evaluate("window.dispatchEvent(new Event('pagehide'))");
    await page.evaluate("window.producer.close()");
  });

  it.each([
    ["sendBeacon is missing", "delete Navigator.prototype.sendBeacon;"],
    ["sendBeacon throws", set("Navigator.prototype", "sendBeacon", THROW)],
    ["Request is missing", set("window", "Request", "undefined")],
    [
      "fetch with keepalive rejects",
      `const { fetch } = window; window.fetch = (url, init) => (init.keepalive ? Promise.reject(new TypeError("quota")) : fetch(url, init));`,
    ],
    ["IndexedDB is missing", set("window", "indexedDB", "undefined")],
  ])("keeps all events of a page that ends if %s", async (_, fault) => {
    await rig.context.addInitScript(fault);
    const page = await rig.open();
    await send(page, 1, 1);
    await flush(page);
    rig.gateway.answer = () => ({ status: 503, stores: false });
    await send(page, 2, 30, "x".repeat(3000));
    await page.goto(`${rig.shop.url}/elsewhere`);
    rig.gateway.answer = () => undefined;
    await page.goto(rig.shop.url);
    await start(page, { url: rig.gateway.url });
    await rig.gateway.stored(30);
    expect(received()).toEqual(new Set(numbers(1, 30)));
    await flush(page);
  });

  it("lets other tabs send while getToken of one tab never settles", async () => {
    const hung = await rig.context.newPage();
    await hung.goto(rig.shop.url);
    await hung.evaluate("window.freshToken = () => new Promise(() => {})");
    await start(hung, { url: rig.gateway.url });
    await send(hung, 1, 3);
    const other = await rig.open();
    await send(other, 4, 6);
    await flush(other);
    expect(received()).toEqual(new Set(numbers(1, 6)));
    await all(hung, "stored");
  });

  it("sends without a turn while a frozen tab holds the lock", async () => {
    await rig.context.addInitScript(`(() => { ${SHORT_TIMERS} })()`);
    const frozen = await rig.context.newPage();
    await frozen.goto(rig.shop.url);
    await frozen.evaluate(
      `new Promise((held) => void navigator.locks.request("stationgate ${rig.gateway.url}/stations/clicks/produce/beacon",
        () => (held(), new Promise(() => {}))))`,
    );
    const page = await rig.open();
    await send(page, 1, 3);
    await flush(page);
    expect(received()).toEqual(new Set(numbers(1, 3)));
  });

  it("gives the outcome kept to an event whose first transaction failed", async () => {
    await rig.context.addInitScript(abortWrites("location.hash !== '#next' && writes++ < 1"));
    rig.gateway.answer = () => ({ status: 503 });
    const page = await rig.open();
    await send(page, 1, 3);
    await page.evaluate("window.producer.close()");
    expect(await endings(page)).toEqual({ 1: "kept", 2: "kept", 3: "kept" });
    rig.gateway.answer = () => undefined;
    await page.goto(`${rig.shop.url}/#next`);
    await page.reload();
    await start(page, { url: rig.gateway.url });
    await rig.gateway.stored(3);
  });

  it("gives the outcome unknown to an event without storage and without an answer", async () => {
    await rig.context.addInitScript(set("window", "indexedDB", "undefined"));
    rig.gateway.answer = () => ({ status: 200, text: "<html>", stores: false });
    const page = await rig.open({ apiKey: "key" });
    await send(page, 1, 1);
    await page.waitForFunction("window.retries.length > 0");
    await page.evaluate("window.producer.close()");
    expect(await endings(page)).toEqual({ 1: "unknown" });
    expect(await page.evaluate("localStorage.length")).toBe(0);
  });

  it("gives two tabs the outcomes of their own events without channels and locks", async () => {
    await rig.context.addInitScript(
      `(() => { ${SHORT_TIMERS} delete window.BroadcastChannel; delete Navigator.prototype.locks; })()`,
    );
    const pages = await Promise.all([rig.open(), rig.open()]);
    await Promise.all(pages.map((page, i) => send(page, 10 * i + 1, 10 * i + 9)));
    await Promise.all(pages.map(flush));
    for (const page of pages) expect(Object.values(await endings(page))).toEqual(Array(9).fill("stored"));
  });

  it("sends pending events after the user has deleted the site's data", async () => {
    await rig.context.addInitScript(`(() => { ${SHORT_TIMERS} })()`);
    rig.gateway.answer = () => ({ status: 503 });
    const page = await rig.open({ retryDelay: 500, maxRetryDelay: 500 });
    await send(page, 1, 3);
    await rig.gateway.requests(1);
    await page.evaluate(
      `indexedDB.databases().then((all) => Promise.all(all.map(({ name }) => new Promise((done) => (indexedDB.deleteDatabase(name).onsuccess = done)))))`,
    );
    rig.gateway.answer = () => undefined;
    await flush(page);
    expect(received()).toEqual(new Set([1, 2, 3]));
  });

  it("limits the queue of all tabs and earlier pages together", async () => {
    rig.gateway.answer = () => ({ status: 503 });
    const [one, two] = await Promise.all([rig.open({ maxQueued: 10 }), rig.open({ maxQueued: 10 })]);
    await send(one, 1, 6);
    await rig.gateway.requests(1);
    await send(two, 7, 16);
    await two.waitForFunction("Object.keys(window.outcomes).length === 6");
    expect(await endings(two)).toEqual(Object.fromEntries(numbers(11, 16).map((n) => [n, "refused"])));
    await one.close();
    const three = await rig.open({ maxQueued: 10 });
    await send(three, 17, 17);
    await three.waitForFunction("window.outcomes[17]");
    expect(await three.evaluate("window.outcomes[17].error")).toBe("too many events wait");
    rig.gateway.answer = () => undefined;
    await flush(two);
    expect(received()).toEqual(new Set(numbers(1, 10)));
    await send(three, 18, 18);
    await flush(three);
    expect((await endings(three))["18"]).toBe("stored");
  });

  it("goes on if callbacks of the page throw", async () => {
    const page = await rig.open();
    await page.evaluate(`(() => {
      const fail = () => { throw new Error("the page's"); };
      window.producer.close();
      window.producer = Stationgate.createProducer({
        url: "${rig.gateway.url}", station: "clicks", apiKey: "key", linger: 5, retryDelay: 20, maxRetryDelay: 40,
        onRetry: fail, onRefused: fail,
      });
    })()`);
    rig.gateway.answer = ({ events }, count) => {
      if (count < 3) return { status: 503 };
      return events.some(({ event }) => event.n === 2) ? { status: 413 } : undefined;
    };
    await send(page, 1, 3);
    await flush(page);
    expect(await endings(page)).toEqual({ 1: "stored", 2: "refused", 3: "stored" });
  });
});
