/** The console in Chromium for an operator with the role viewer, with the real program. */
import { jest } from "@jest/globals";
import type { Page } from "playwright-core";
import { describeBrowser } from "../support/browser.ts";
import { createConnector } from "../support/connector-api.ts";
import { type ConsoleStand, signIn, startConsole } from "../support/console.ts";
import { ADMIN_TOKEN } from "../support/gateway.ts";

jest.setTimeout(60_000);

const VIEWER = "viewer-token-of-the-tests-0000000";

describeBrowser("the console of a viewer", () => {
  let stand: ConsoleStand;
  let page: Page;

  beforeAll(async () => {
    stand = await startConsole({
      admin: {
        ...{ host: "127.0.0.1", port: 0, token: ADMIN_TOKEN },
        tokens: [{ name: "look", token: VIEWER, role: "viewer" }],
      },
      stations: [{ name: "clicks", partitions: 1, once: { id: "/id", window: "1h" } }],
    });
    const { browser, gateway, sink } = stand;
    await createConnector(gateway, "crm", { sink, topic: "clicks", "dead.letter.topic": "crm.dead" });
    page = await browser.newPage();
    await signIn(page, gateway, VIEWER);
  });
  afterAll(() => stand.close());

  const at = (path: string) => page.goto(`${stand.gateway.adminUrl}/#/${path}`);
  const controls = () => page.locator("main").getByRole("button").allTextContents();

  it("shows the name and the role", async () => {
    await page.getByText("look", { exact: true }).waitFor();
    await page.getByText("viewer", { exact: true }).waitFor();
  });

  it("has no tail and no form for events on the page of a station", async () => {
    await at("stations/clicks");
    await page.getByText("/id, remembered for 60 min", { exact: true }).waitFor();
    expect(await page.getByRole("button", { name: "Produce" }).count()).toBe(0);
    expect(await page.getByRole("button", { name: "Start" }).count()).toBe(0);
    expect(await page.locator("main form, main textarea").count()).toBe(0);
  });

  it("has no control that changes a connector", async () => {
    await at("connectors");
    await page.getByRole("link", { name: "crm" }).waitFor();
    expect(await page.getByRole("link", { name: "New connector" }).count()).toBe(0);
    await at("connectors/crm");
    await page.getByText("State", { exact: true }).waitFor();
    expect(await controls()).toEqual([]);
    await at("edit/crm");
    await page.getByText("A change of the configuration needs the role admin.").waitFor();
    expect(await page.getByRole("button", { name: "Save" }).count()).toBe(0);
  });

  it.each([
    ["PUT", "/connectors/crm/pause", "operator"],
    ["POST", "/connectors/crm/dead-letters/replay", "operator"],
    ["DELETE", "/connectors/crm", "admin"],
    ["POST", "/stations/clicks/events", "operator"],
    ["GET", "/stations/clicks/tail", "operator"],
    ["POST", "/gateway/reload", "admin"],
  ])("gets 403 for a request that its page sends: %s %s", async (method, path, role) => {
    const answer = await page.evaluate(
      ([how = "", where = ""]) =>
        fetch(where, { method: how }).then(async (got) => [got.status, await got.text()]),
      [method, path],
    );
    expect(answer).toEqual([403, expect.stringContaining(`This needs the role ${role}`)]);
  });
});
