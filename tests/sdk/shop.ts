/** A site of its own origin whose page has the SDK, and what a test does on that page. */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import type { Frame, Page } from "playwright-core";
import { sdkScript } from "../support/browser.ts";

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

/** In the page: `producer`, `outcomes` of the events by their number, `refused`, `retries`, `tokens` asked for. */
export interface Started {
  readonly url: string;
  readonly station?: string;
  readonly apiKey?: string;
  readonly [option: string]: unknown;
}

/**
 * Begins a producer in the page with quick retries; without a key it gets its tokens from the page's `freshToken`,
 * where the test has put one, or else `token-1`, `token-2` and so on.
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

/** Sends events numbered `from` to `to`, in one turn, and goes on before they have an outcome. */
export const send = (page: Page | Frame, from: number, to: number, pad = ""): Promise<void> =>
  page.evaluate(
    `(() => {
      for (let n = ${from}; n <= ${to}; n++) {
        window.producer.send({ n, pad: ${JSON.stringify(pad)} }).then((outcome) => (window.outcomes[n] = outcome));
      }
    })()`,
  );

export const flush = (page: Page | Frame): Promise<void> => page.evaluate("window.producer.flush()");

/** How the events ended, by number. */
export const endings = (page: Page | Frame): Promise<Record<string, string>> =>
  page.evaluate("Object.fromEntries(Object.entries(window.outcomes).map(([n, { status }]) => [n, status]))");

export const numbers = (from: number, to: number): number[] =>
  Array.from({ length: to - from + 1 }, (_, i) => from + i);
