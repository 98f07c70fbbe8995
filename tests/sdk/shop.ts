/** A web site whose page has the SDK, and the actions of tests on this page. */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import type { Browser, BrowserContext, Frame, Page } from "playwright-core";
import { launchBrowser, sdkScript } from "../support/browser.ts";
import { startFakeGateway, type FakeGateway } from "./fake-gateway.ts";

export interface Shop {
  readonly url: string;
  close(): Promise<void>;
}

/** Serves a page that loads the SDK by a script tag; every other path is an empty page of the same origin. */
export const openShop = async (): Promise<Shop> => {
  const script = await sdkScript();
  const server = createServer((request, response) => {
    const isScript = request.url === "/stationgate.js";
    response.setHeader("Content-Type", isScript ? "text/javascript" : "text/html");
    const page = request.url === "/" ? '<script src="/stationgate.js"></script>' : "";
    response.end(isScript ? script : `<!doctype html>${page}`);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => {
          resolve();
        });
      }),
  };
};

export interface ShopRig {
  readonly shop: Shop;
  readonly gateway: FakeGateway;
  readonly context: BrowserContext;
  /** Opens the page and starts a producer that sends to the gateway. */
  open(options?: Record<string, unknown>): Promise<Page>;
}

/** Set-up of a describe block: one browser and one shop for all tests, a gateway and a browser context for each test. */
export const useShop = (): ShopRig => {
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

  return {
    get shop() {
      return shop;
    },
    get gateway() {
      return gateway;
    },
    get context() {
      return context;
    },
    open: async (options = {}) => {
      const page = await context.newPage();
      await page.goto(shop.url);
      await start(page, { url: gateway.url, ...options });
      return page;
    },
  };
};

/** Variables of the page: `producer`, `outcomes` of the events by their number, `refused`, `retries`, `tokens` asked for. */
export interface Started {
  readonly url: string;
  readonly station?: string;
  readonly apiKey?: string;
  readonly [option: string]: unknown;
}

/**
 * Starts a producer in the page, with short retries. Without a key, its tokens come from the page's `freshToken` if the test has
 * defined it, else they are `token-1`, `token-2` and so on.
 */
export const start = (page: Page | Frame, options: Started): Promise<void> =>
  page.evaluate(
    `(() => {
      const options = ${JSON.stringify(options)};
      window.tokens = 0;
      window.outcomes = {};
      window.refused = [];
      window.retries = [];
      const credential = options.apiKey ? {} : { getToken: () => (++window.tokens, window.freshToken?.() ?? "token-" + window.tokens) };
      window.producer = Stationgate.createProducer({
        station: "clicks",
        linger: 5,
        retryDelay: 20,
        maxRetryDelay: 100,
        onRefused: (refused) => window.refused.push(refused),
        onRetry: (reason) => window.retries.push(reason),
        ...credential,
        ...options,
      });
    })()`,
  );

/** Sends the events with the numbers `from` to `to` in one task, without waiting for outcomes. */
export const send = (page: Page | Frame, from: number, to: number, pad = ""): Promise<void> =>
  page.evaluate(
    `(() => {
      for (let n = ${from}; n <= ${to}; n++) {
        window.producer.send({ n, pad: ${JSON.stringify(pad)} }).then((outcome) => (window.outcomes[n] = outcome));
      }
    })()`,
  );

export const flush = (page: Page | Frame): Promise<void> => page.evaluate("window.producer.flush()");

/** The outcomes by event number. */
export const endings = (page: Page | Frame): Promise<Record<string, string>> =>
  page.evaluate("Object.fromEntries(Object.entries(window.outcomes).map(([n, { status }]) => [n, status]))");

export const numbers = (from: number, to: number): number[] =>
  Array.from({ length: to - from + 1 }, (_, i) => from + i);
