/** The console in Chromium, with the real program, the embedded log and a real endpoint. */
import { jest } from "@jest/globals";
import type { Browser, BrowserContext, Page } from "playwright-core";
import { describeBrowser } from "../support/browser.ts";
import { createConnector, produceBatch } from "../support/connector-api.ts";
import { complaintsOf, type ConsoleStand, signIn, startConsole } from "../support/console.ts";
import { ADMIN_TOKEN, startGateway, type Gateway } from "../support/gateway.ts";
import { DONE, type HttpSink } from "../support/http-sink.ts";

jest.setTimeout(60_000);

const HOSTILE = '<img src="x" onerror="window.hacked = true"><script>window.hacked = true</script>';

describeBrowser("the console", () => {
  let stand: ConsoleStand;
  let browser: Browser;
  let gateway: Gateway;
  let sink: HttpSink;
  let context: BrowserContext;
  let page: Page;
  let complaints: readonly string[];

  const openPage = async (options: { readonly colorScheme?: "dark" | "light" } = {}): Promise<void> => {
    context = await browser.newContext(options);
    page = await context.newPage();
    complaints = complaintsOf(page);
  };

  const at = (path: string) => page.goto(`${gateway.adminUrl}/#/${path}`);
  const records = () => page.locator(".records > li");

  beforeAll(async () => {
    stand = await startConsole({
      stations: [
        { name: "clicks", partitions: 1 },
        {
          name: "trades",
          partitions: 1,
          schema: { type: "protobuf", file: `${process.cwd()}/proto/trade.proto`, message: "desk.Trade" },
        },
      ],
    });
    ({ browser, gateway, sink } = stand);
  });
  afterAll(() => stand.close());
  beforeEach(() => openPage());
  afterEach(async () => {
    await expectClean();
    await context.close();
  });

  /** Expects no violation of the page's policy, no error, and no script of an event. */
  const expectClean = async (): Promise<void> => {
    expect(complaints).toEqual([]);
    expect(await page.evaluate("window.hacked")).toBeUndefined();
  };

  it("signs an operator in with the token, and out again", async () => {
    const answer = await page.goto(`${gateway.adminUrl}/`);
    expect(answer?.status()).toBe(401);
    await page.getByLabel("The operators’ token").fill("wrong");
    await page.keyboard.press("Enter");
    await page.getByRole("alert").getByText("This is not the operators’ token.").waitFor();
    await signIn(page, gateway);
    expect((await context.cookies()).map(({ httpOnly, sameSite }) => [httpOnly, sameSite])).toEqual([
      [true, "Strict"],
    ]);
    expect(await page.evaluate("document.cookie")).toBe("");
    await page.reload();
    await page.getByRole("button", { name: "Sign out" }).click();
    await page.getByLabel("The operators’ token").waitFor();
    expect(await context.cookies()).toEqual([]);
    await page.reload();
    await page.getByLabel("The operators’ token").waitFor();
  });

  it("signs operators in without accounts and token secrets", async () => {
    await using bare = await startGateway({ settings: { auth: {} } });
    await signIn(page, bare);
    await page.reload();
    await page.getByRole("heading", { name: "Stations" }).waitFor();
    // The open page would report errors after the gateway has stopped.
    await page.goto("about:blank");
  });

  it("signs in without JavaScript", async () => {
    const scriptless = await browser.newContext({ javaScriptEnabled: false });
    const signInPage = await scriptless.newPage();
    await signInPage.goto(gateway.adminUrl);
    await signInPage.getByLabel("The operators’ token").fill(ADMIN_TOKEN);
    await signInPage.getByRole("button", { name: "Sign in" }).click();
    await signInPage.getByText("This page needs JavaScript.").waitFor();
    await scriptless.close();
  });

  it("shows new events of a station as text only", async () => {
    await signIn(page, gateway);
    await page.getByRole("link", { name: "clicks" }).click();
    await page.getByLabel("Contains").fill("onerror");
    await page.getByRole("button", { name: "Start" }).click();
    await page.getByText(/^Live, /).waitFor();
    await produceBatch(gateway, "clicks", [{ page: "/plain" }]);

    await page.getByLabel("Event", { exact: true }).fill(JSON.stringify({ page: HOSTILE, n: 12 }));
    await page.getByLabel("Key", { exact: true }).fill(HOSTILE);
    await page.getByLabel("Headers").fill(`x-origin: ${HOSTILE}`);
    await page.getByRole("button", { name: "Produce" }).click();
    await page.getByText("Stored in partition 0 at offset 1.").waitFor();

    await records().first().waitFor();
    expect(await records().count()).toBe(1);
    await records().first().locator("summary").click();
    const shown = await records().first().locator("pre").textContent();
    expect(shown).toBe(JSON.stringify({ page: HOSTILE, n: 12 }, null, 2));
    expect(await records().first().textContent()).toContain(`x-origin${HOSTILE}`);
    expect(await page.locator("main img, main script").count()).toBe(0);

    await page.getByLabel("Event", { exact: true }).fill("{");
    await page.getByRole("button", { name: "Produce" }).click();
    await page.getByText("Not stored: Invalid JSON (JSON_INVALID)").waitFor();
    // The browser reports the 400 as an error.
    expect(complaints).toHaveLength(1);
    complaints = [];
  });

  it("continues a tail after a record that can't be shown or has an invalid time", async () => {
    const text = (value: string) => ({
      encoding: "utf-8",
      text: value,
      bytes: value.length,
      truncated: false,
    });
    const record = (offset: string, timestamp: number, value: unknown) =>
      `id: after-${offset}\ndata: ${JSON.stringify({ partition: 0, offset, timestamp, key: null, value, headers: [] })}\n\n`;
    let requests = 0;
    let resumedAfter: string | undefined;
    await page.route("**/stations/clicks/tail?*", async (route) => {
      requests += 1;
      resumedAfter = route.request().headers()["last-event-id"];
      const body =
        "retry: 1000\n\nid: first\n\n" +
        record("0", Number.MAX_SAFE_INTEGER, text("first")) +
        record("1", 1, {}) +
        record("2", 1, text("[".repeat(30_000) + "]".repeat(30_000)));
      await (requests === 1 ? route.fulfill({ contentType: "text/event-stream", body }) : route.abort());
    });
    await signIn(page, gateway);
    await page.getByRole("link", { name: "clicks" }).click();
    await page.getByRole("button", { name: "Start" }).click();
    await page.getByText("3 records, 1 can’t be shown").waitFor();
    while (requests < 2) await new Promise((resolve) => setImmediate(resolve));
    expect(resumedAfter).toBe("after-2");
    expect(await records().count()).toBe(2);
    await page.getByText(`${Number.MAX_SAFE_INTEGER} ms`).waitFor();
    await records().last().locator("summary").click();
    expect((await records().last().locator("pre").textContent())?.length).toBe(60_000);
    await page.unrouteAll({ behavior: "ignoreErrors" });
    complaints = [];
  });

  it("decodes protobuf, and counts the events of each station", async () => {
    await produceBatch(gateway, "trades", [{ tradeId: "t-1", side: "BUY", notional: "9007199254740993" }]);
    await signIn(page, gateway);
    const row = page.getByRole("row").filter({ has: page.getByRole("link", { name: "trades" }) });
    expect(await row.textContent()).toContain("protobuf");
    await produceBatch(gateway, "trades", [{ tradeId: "t-2" }]);
    await page
      .locator(".legend li")
      .filter({ hasText: /^Stored .*\(peak (?!0\/s)/ })
      .waitFor();

    await page.getByRole("link", { name: "trades" }).click();
    await page.getByRole("button", { name: "Start" }).click();
    await records().nth(1).locator("summary").click();
    await records().nth(1).getByText("protobuf, decoded").waitFor();
    expect(JSON.parse((await records().nth(1).locator("pre").textContent()) ?? "")).toEqual({
      tradeId: "t-1",
      side: "BUY",
      notional: "9007199254740993",
    });
  });

  it("shows why a connector fails, pauses it, resumes it and replays its dead letters", async () => {
    sink.answer(({ body }) => (body.includes("poison") ? { status: 500, body: HOSTILE } : DONE));
    await createConnector(gateway, "crm", {
      sink,
      topic: "orders",
      "exception.strategy": "DROP_MESSAGE",
      "dead.letter.topic": "crm.dead",
    });
    await produceBatch(gateway, "orders", [{ n: "poison" }]);
    await signIn(page, gateway);
    await page.getByRole("link", { name: "Connectors" }).click();
    await page.getByRole("link", { name: "crm" }).click();
    await page.getByText("1 in crm.dead").waitFor();
    await page.getByRole("cell", { name: "dropped" }).waitFor();
    await page.getByRole("button", { name: "Show newest" }).click();
    await records().first().locator("summary").click();
    await records().first().locator("dl").waitFor();
    expect(await records().first().textContent()).toMatch(/Original recordorders \d@0.*Status500/);

    await page.getByRole("button", { name: "Pause" }).click();
    await page.getByText("Pause: done.").waitFor();
    await page.locator(".pill", { hasText: "paused" }).waitFor();
    await page.getByRole("button", { name: "Resume" }).click();
    await page.locator(".pill", { hasText: "running" }).waitFor();

    sink.answer(() => DONE);
    const before = sink.requests.length;
    await page.getByRole("button", { name: "Replay dead letters" }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Yes" }).click();
    await sink.received(before + 1);
    await page.getByText("0 in crm.dead").waitFor();
    expect(sink.bodies.at(-1)).toBe('{"n":"poison"}');
  });

  it("can be used with the keyboard alone", async () => {
    await page.goto(gateway.adminUrl);
    await page.locator("input:focus").waitFor();
    await page.keyboard.type(ADMIN_TOKEN);
    await page.keyboard.press("Enter");
    await page.getByRole("link", { name: "clicks" }).waitFor();

    /** Presses Tab until the element with this label has the focus. Throws if it never gets it. */
    const tabTo = async (name: string): Promise<void> => {
      for (let presses = 0; presses < 60; presses += 1) {
        await page.keyboard.press("Tab");
        const focused = await page.evaluate<string>(
          "(document.activeElement.labels?.[0] ?? document.activeElement).textContent.trim()",
        );
        if (focused === name) return;
      }
      throw new Error(`Tab doesn't lead to ${name}`);
    };

    await tabTo("Skip to the content");
    await page.keyboard.press("Enter");
    await tabTo("clicks");
    const outline = await page.evaluate("getComputedStyle(document.activeElement).outlineWidth");
    expect(outline).toBe("3px");
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { name: "clicks" }).waitFor();
    await tabTo("Start");
    await page.keyboard.press("Enter");
    await page.getByText(/^Live, /).waitFor();
    await tabTo("Event");
    await page.keyboard.type('{"by":"keyboard"}');
    await tabTo("Produce");
    await page.keyboard.press("Enter");
    await page.getByText(/^Stored in partition 0/).waitFor();
    await records().filter({ hasText: "keyboard" }).waitFor();
  });

  it("follows the system's dark mode, and shows the state of the broker", async () => {
    const backgrounds: unknown[] = [];
    for (const colorScheme of ["light", "dark"] as const) {
      await context.close();
      await openPage({ colorScheme });
      await signIn(page, gateway);
      await at("health");
      await page.getByText("ready: the gateway can store events").waitFor();
      await page.getByText("the embedded log").waitFor();
      await page.getByText("24 h of 24 h").waitFor();
      backgrounds.push(await page.evaluate("getComputedStyle(document.body).backgroundColor"));
    }
    expect(backgrounds).toEqual(["rgb(245, 247, 250)", "rgb(14, 19, 26)"]);
  });

  it("fits on a phone", async () => {
    await signIn(page, gateway);
    await page.setViewportSize({ width: 400, height: 800 });
    for (const path of ["stations", "stations/clicks", "connectors", "connectors/crm", "health"]) {
      await at(path);
      await page.locator("main > *").first().waitFor();
      expect([path, await page.evaluate("document.documentElement.scrollWidth")]).toEqual([path, 400]);
    }
  });

  it("shows an outage of the broker", async () => {
    await using offline = await startGateway({
      settings: { broker: { type: "kafka", kafka: { brokers: ["127.0.0.1:1"] } } },
    });
    await signIn(page, offline);
    await page.getByRole("alert").getByText("The broker can’t be reached.").waitFor();
    await page.goto(`${offline.adminUrl}/#/health`);
    await page.getByText("127.0.0.1:1").waitFor();
    await page.getByRole("region", { name: "Broker" }).getByText("unknown").waitFor();
    await page.getByRole("status").getByText("not ready: The broker can’t be reached.").waitFor();
    // The browser reports each 503 as an error.
    complaints = complaints.filter((text) => !text.includes("503 (Service Unavailable)"));
  });

  it("shows only the pages of the process's role", async () => {
    const only = (role: string) => startGateway({ settings: { roles: [role] } });
    const [ingest, delivery] = await Promise.all([only("ingest"), only("delivery")]);
    try {
      for (const [gateway, links, tails] of [
        [ingest, ["Stations", "Health"], 1],
        [delivery, ["Stations", "Connectors", "Health"], 0],
      ] as const) {
        // Cookies don't depend on the port, and processes with the same settings accept each other's sessions.
        if (gateway === ingest) await signIn(page, gateway);
        else await page.goto(gateway.adminUrl);
        await page.getByRole("heading", { name: "Stations" }).waitFor();
        const nav = page.getByRole("navigation").getByRole("link");
        expect(await nav.allTextContents()).toEqual(links);
        await page.goto(`${gateway.adminUrl}/#/stations/any`);
        await page.getByRole("alert").getByText("There is no station any.").waitFor();
        expect(await page.getByRole("heading", { name: "Live tail" }).count()).toBe(tails);
      }
    } finally {
      await Promise.all([ingest[Symbol.asyncDispose](), delivery[Symbol.asyncDispose]()]);
    }
  });
});
