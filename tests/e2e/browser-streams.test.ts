/** Event streams in Chromium behind nginx: gateways are killed, and no event is missing or comes twice. */
import { jest } from "@jest/globals";
import type { Browser, BrowserContext, Page } from "playwright-core";
import { openShop, type Shop } from "../sdk/shop.ts";
import { produceBatch } from "../support/connector-api.ts";
import { describeBrowser, launchBrowser } from "../support/browser.ts";
import { type Gateway, ROOT, signIn, startGateway } from "../support/gateway.ts";
import { describeKafka, uniqueName } from "../support/kafka/describe.ts";
import { type Nginx, startNginx } from "../support/nginx.ts";

jest.setTimeout(120_000);

/** Variables of the page: `received` is the list of the events, each as `partition@offset n`. */
const START_SDK = `(options) => {
  window.received = [];
  window.states = [];
  window.subscription = Stationgate.subscribe({
    ...options,
    getToken: () => window.freshToken(),
    retryDelay: 50,
    maxRetryDelay: 500,
    onEvent: async ({ partition, offset, value }) => {
      await new Promise((resolve) => setTimeout(resolve));
      window.received.push(partition + "@" + offset + " " + value.n);
    },
    onState: (state) => window.states.push(state),
  });
}`;

/** As in docs/guides/browsers.md: without a living gateway nginx answers 502, which ends an EventSource. */
const START_EVENT_SOURCE = `({ url, station, from }) => {
  window.received = [];
  let last = "";
  const open = async () => {
    const query = new URLSearchParams({ authorization: await window.freshToken(), from, lastEventId: last });
    const source = new EventSource(url + "/stations/" + station + "/consume/stream?" + query);
    source.onmessage = ({ data, lastEventId }) => {
      const { partition, offset, value } = JSON.parse(data);
      window.received.push(partition + "@" + offset + " " + value.n);
      last = lastEventId;
    };
    source.onerror = () => {
      if (source.readyState === EventSource.CLOSED) setTimeout(open, 500);
    };
  };
  return open();
}`;

describeKafka("event streams", (kafka) => {
  describeBrowser("in Chromium behind nginx", () => {
    let browser: Browser;
    let context: BrowserContext;
    let shop: Shop;
    let gateways: Gateway[];
    let nginx: Nginx;
    let station: string;

    beforeAll(async () => {
      [browser, shop] = await Promise.all([launchBrowser(), openShop()]);
    });
    afterAll(async () => {
      await browser.close();
      await shop.close();
    });
    beforeEach(async () => {
      context = await browser.newContext();
      station = uniqueName("live");
      const settings = {
        broker: { type: "kafka", kafka: { brokers: kafka.brokers } },
        stations: [{ name: station, partitions: 3 }],
      };
      gateways = await Promise.all([startGateway({ settings }), startGateway({ settings })]);
      nginx = await startNginx(gateways.map(({ url }) => url.replace("http://", "")));
    });
    afterEach(async () => {
      // nginx waits for the open streams.
      await context.close();
      await nginx[Symbol.asyncDispose]();
      await Promise.all(gateways.map((gateway) => gateway[Symbol.asyncDispose]()));
    });

    /** A token of an account, which both gateways accept. */
    const token = async (): Promise<string> => signIn(await alive(), ROOT);
    const alive = (): Promise<Gateway> =>
      Promise.any(
        gateways.map(async (gateway) => {
          await fetch(`${gateway.url}/healthz`);
          return gateway;
        }),
      );

    const open = async (start: string): Promise<Page> => {
      const page = await context.newPage();
      await page.exposeFunction("freshToken", token);
      await page.goto(`${shop.url}/elsewhere`);
      await page.addScriptTag({ url: `${nginx.url}/sdk/subscribe.js` });
      await page.evaluate(`(${start})(${JSON.stringify({ url: nginx.url, station, from: "earliest" })})`);
      return page;
    };

    it("SDK and EventSource get each event once and in order while gateways are killed", async () => {
      const pages = await Promise.all([open(START_SDK), open(START_EVENT_SOURCE)]);
      const received = (page: Page): Promise<string[]> => page.evaluate("window.received");
      let n = 0;
      const produce = async (count: number, by: Gateway): Promise<void> => {
        for (let i = 0; i < count; i++) await produceBatch(by, station, [{ n: n++ }, { n: n++ }]);
      };
      const caughtUp = (): Promise<unknown> =>
        Promise.all(pages.map((page) => page.waitForFunction(`window.received.length >= ${n}`)));

      await produce(20, await alive());
      await caughtUp();
      for (const index of [0, 1, 0]) {
        const [gateway, other] = [gateways[index], gateways[1 - index]];
        if (gateway === undefined || other === undefined) throw new RangeError("no such gateway");
        const producing = produce(20, other);
        await gateway.stop("SIGKILL");
        await producing;
        await caughtUp();
        gateways[index] = await gateway.restart();
        await produce(5, other);
        await caughtUp();
      }

      for (const page of pages) {
        const events = await received(page);
        expect(events.map((event) => Number(event.split(" ")[1])).sort((a, b) => a - b)).toEqual(
          Array.from({ length: n }, (_, i) => i),
        );
        for (const partition of ["0", "1", "2"]) {
          const own = events.filter((event) => event.startsWith(`${partition}@`));
          expect(own.map((event) => Number(event.slice(2).split(" ")[0]))).toEqual(own.map((_, i) => i));
        }
      }
    });
  });
});
