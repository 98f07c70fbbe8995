/** Creating and editing connectors, the first-event hint, and the charts of the console: a real Chromium, the real program. */
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { jest } from "@jest/globals";
import type { Browser, BrowserContext, Page } from "playwright-core";
import { describeBrowser, launchBrowser } from "../support/browser.ts";
import { admin, createConnector, produceBatch } from "../support/connector-api.ts";
import { complaintsOf, signIn } from "../support/console.ts";
import { ROOT, startGateway, type Gateway } from "../support/gateway.ts";
import { DONE, startHttpSink, type HttpSink } from "../support/http-sink.ts";

jest.setTimeout(60_000);

const SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

describeBrowser("the console's connector form", () => {
  let browser: Browser;
  let gateway: Gateway;
  let sink: HttpSink;
  let context: BrowserContext;
  let page: Page;
  let complaints: string[];

  const expectNoComplaint = (): void => {
    expect(complaints).toEqual([]);
  };
  const open = (path: string) => page.goto(`${gateway.adminUrl}/#/${path}`);
  /** The field of a setting, by its label. */
  const setting = (name: string) => page.getByLabel(name, { exact: true });
  const errorOf = async (name: string): Promise<string> =>
    (await page.locator(`[id="error-${name}"]`).textContent()) ?? "";

  beforeAll(async () => {
    [browser, sink] = await Promise.all([launchBrowser(), startHttpSink()]);
    gateway = await startGateway({
      settings: {
        delivery: { allowTargets: ["127.0.0.0/8"] },
        stations: [{ name: "clicks", partitions: 1 }],
        connectors: [
          {
            name: "filed",
            config: {
              topics: "clicks",
              "callback.request.url": sink.url,
              "callback.request.method": "POST",
              "callback.request.headers": "Authorization:Bearer secret-of-the-file",
            },
          },
        ],
      },
    });
  });
  afterAll(async () => {
    await browser.close();
    await gateway[Symbol.asyncDispose]();
    await sink.close();
  });
  beforeEach(async () => {
    sink.answer(() => DONE);
    context = await browser.newContext();
    page = await context.newPage();
    complaints = complaintsOf(page);
    await signIn(page, gateway);
  });
  afterEach(async () => {
    expectNoComplaint();
    await context.close();
  });

  it("shows how to send the first event, with commands that work, until an event is stored", async () => {
    const steps = page.getByRole("region", { name: "Send the first event" }).locator("pre");
    await steps.first().waitFor();
    const commands = await steps.allTextContents();
    expect(commands).toHaveLength(3);
    expect(commands.join("\n")).toContain(`${gateway.url}/stations/clicks/produce/single`);
    expect(commands.join("\n")).not.toContain(ROOT.connection_token);

    const script = commands
      .join("\n")
      .replace("CONNECTION_TOKEN", ROOT.connection_token)
      .replace("USERNAME", ROOT.username);
    const { stdout } = await promisify(execFile)("sh", ["-c", script]);
    expect(stdout).toContain(String.raw`{\"hello\":\"world\"}`);
    await steps.first().waitFor({ state: "hidden" });
  });

  it("shows the errors of each field while the operator types, then creates the connector", async () => {
    await page.getByRole("link", { name: "Connectors" }).click();
    await page.getByRole("link", { name: "New connector" }).click();
    await setting("name").fill("a/b");
    await page.getByText("Connector name should not contain a slash").waitFor();
    expect(await setting("name").getAttribute("aria-invalid")).toBe("true");
    expect(await setting("name").getAttribute("aria-describedby")).toContain("error-name");
    expect(await errorOf("callback.request.url")).toBe("");
    await page.getByRole("status").getByText("1 setting is invalid.").waitFor();

    await setting("name").fill("typed");
    await setting("topics").fill("orders");
    await setting("callback.request.url").fill("ftp://127.0.0.1/");
    await page.locator('[id="error-callback.request.url"]:not(:empty)').waitFor();
    await page.getByRole("button", { name: "Create" }).click();
    await page.locator('[id="setting-callback.request.url"]:focus').waitFor();
    expect(await errorOf("callback.request.method")).toContain("Missing required configuration");

    await setting("callback.request.url").fill(sink.url);
    await setting("callback.request.method").selectOption("POST");
    await setting("secret").fill(SECRET);
    await page.getByRole("status").getByText("The configuration is valid.").waitFor();
    await page.getByRole("button", { name: "Create" }).click();
    await page.getByRole("heading", { name: "typed" }).waitFor();
    expect(await admin(gateway, "GET", "/connectors/typed/config")).toMatchObject({
      name: "typed",
      topics: "orders",
      "callback.request.url": sink.url,
      secret: "********",
    });
  });

  it("keeps the stored secret when another setting changes", async () => {
    await createConnector(gateway, "edited", { sink, topic: "edits", secret: SECRET });
    await open("connectors/edited");
    await page.getByRole("link", { name: "Edit configuration" }).click();
    await setting("secret").waitFor();
    expect(await setting("secret").inputValue()).toBe("********");
    expect(await setting("secret").getAttribute("type")).toBe("password");
    expect(await setting("name").getAttribute("readonly")).toBe("");

    await page.getByText("More settings").click();
    await setting("concurrency").fill("0");
    await page.getByText(/^Invalid value 0 for configuration concurrency/).waitFor();
    await setting("concurrency").fill("3");
    await page.getByRole("status").getByText("The configuration is valid.").waitFor();
    await page.getByRole("button", { name: "Save" }).click();
    await page.getByRole("link", { name: "Edit configuration" }).waitFor();
    expect(await admin(gateway, "GET", "/connectors/edited/config")).toMatchObject({ concurrency: "3" });

    const before = sink.requests.length;
    await produceBatch(gateway, "edits", [{ n: 1 }]);
    await sink.received(before + 1);
    // Only a connector that has the secret signs.
    expect(sink.requests.at(-1)?.headers["webhook-signature"]).toMatch(/^v1,/);
  });

  it("accepts a configuration of Kafka Connect as JSON, and reports invalid text", async () => {
    await open("create");
    await page.getByText("Configuration as JSON").click();
    await page.getByLabel("JSON", { exact: true }).fill("{");
    await page.getByRole("alert").getByText("The text is not a JSON object.").waitFor();
    const config = {
      "tasks.max": 2,
      topics: "orders",
      "callback.request.url": sink.url,
      "callback.request.method": "GET",
      "key.converter": "org.apache.kafka.connect.storage.StringConverter",
    };
    await page.getByLabel("JSON", { exact: true }).fill(JSON.stringify({ name: "pasted", config }));
    await page.getByText(/Valid values are \[POST, PUT, DELETE\]/).waitFor();
    expect(await setting("name").inputValue()).toBe("pasted");
    expect(await setting("callback.request.method").inputValue()).toBe("GET");
    await setting("callback.request.method").selectOption("PUT");
    await page.getByRole("button", { name: "Create" }).click();
    await page.getByRole("heading", { name: "pasted" }).waitFor();
    expect(await admin(gateway, "GET", "/connectors/pasted/config")).toMatchObject({
      "tasks.max": "2",
      "callback.request.method": "PUT",
      "key.converter": "org.apache.kafka.connect.storage.StringConverter",
    });
  });

  it("shows in place why the gateway refuses to create a connector", async () => {
    await createConnector(gateway, "taken", { sink, topic: "orders" });
    await open("create");
    await setting("name").fill("taken");
    await setting("topics").fill("orders");
    await setting("callback.request.url").fill(sink.url);
    await setting("callback.request.method").selectOption("POST");
    await page.getByRole("button", { name: "Create" }).click();
    await page.getByRole("alert").getByText("Not saved: Connector taken already exists").waitFor();
    expect(await setting("topics").inputValue()).toBe("orders");
    // The browser reports the 409 as an error.
    expect(complaints.splice(0)).toHaveLength(1);
  });

  it("shows a connector of the settings file read-only", async () => {
    await open("connectors");
    const row = page.getByRole("row").filter({ has: page.getByRole("link", { name: "filed" }) });
    expect(await row.textContent()).toContain("settings file");
    await open("connectors/filed");
    await page.getByRole("link", { name: "View configuration" }).click();
    await page.getByText("The settings file declares this connector.").waitFor();
    expect(await setting("topics").getAttribute("readonly")).toBe("");
    expect(await setting("callback.request.method").isDisabled()).toBe(true);
    expect(await setting("callback.request.headers").inputValue()).toBe("Authorization:********");
    expect(await page.getByRole("button", { name: /Save|Create/ }).count()).toBe(0);
  });

  it("keeps the chart of a station while other pages are shown", async () => {
    const points = async (): Promise<number> =>
      ((await page.locator("path.line.s1").first().getAttribute("d")) ?? "").split("L").length;
    await open("stations/clicks");
    await page.locator('path.line.s1[d*="L"]').first().waitFor({ state: "attached" });
    const before = await points();
    await open("connectors");
    await page.getByRole("heading", { name: "Connectors" }).waitFor();
    await open("stations/clicks");
    await page.getByRole("heading", { name: "clicks" }).waitFor();
    expect(await points()).toBeGreaterThanOrEqual(before);
  });

  it("fits on a phone", async () => {
    await page.setViewportSize({ width: 400, height: 800 });
    for (const path of ["create", "edit/filed"]) {
      await open(path);
      await setting("topics").waitFor();
      expect([path, await page.evaluate("document.documentElement.scrollWidth")]).toEqual([path, 400]);
    }
  });
});
