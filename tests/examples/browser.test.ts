/** The example page with its own backend, in Chromium. */
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { jest } from "@jest/globals";
import type { Browser } from "playwright-core";
import { describeBrowser, launchBrowser } from "../support/browser.ts";
import { ROOT, startGateway, type Gateway } from "../support/gateway.ts";

jest.setTimeout(60_000);

describeBrowser("examples/browser", () => {
  let browser: Browser;
  let gateway: Gateway;
  let backend: ChildProcess;

  beforeAll(async () => {
    [browser, gateway] = await Promise.all([launchBrowser(), startGateway()]);
    backend = spawn(process.execPath, ["examples/browser/serve.js"], {
      env: { GATEWAY: gateway.url, CONNECTION_TOKEN: ROOT.connection_token, PORT: "0" },
      stdio: ["ignore", "pipe", "inherit"],
    });
  });
  afterAll(async () => {
    backend.kill();
    await browser.close();
    await gateway[Symbol.asyncDispose]();
  });

  it("shows that each click is stored, and the clicks of all pages live", async () => {
    const [line] = (await once(backend.stdout ?? backend, "data")) as [Buffer];
    const url = line.toString().trim();
    const page = await browser.newPage();
    await page.goto(url);
    // There is no station before the first click.
    await page.waitForFunction("document.getElementById('state').textContent === 'closed'");
    await page.click("#button");
    await page.waitForFunction("document.querySelectorAll('#live li').length === 1");
    const other = await browser.newPage();
    await other.goto(url);
    await other.waitForFunction("document.getElementById('state').textContent === 'open'");
    await page.click("#button");
    await page.waitForFunction("document.querySelectorAll('#log li').length === 2");
    for (const text of await page.locator("#log li").allTextContents())
      expect(text).toMatch(/^[0-9a-f-]{36} stored$/);
    await page.waitForFunction("document.querySelectorAll('#live li').length === 2");
    await other.waitForFunction("document.querySelectorAll('#live li').length === 1");
    const shown = await page.locator("#live li").allTextContents();
    for (const text of shown) expect(text).toMatch(/^\d+@\d+ 20\d\d-.*Z$/);
    expect(shown).toEqual(expect.arrayContaining(await other.locator("#live li").allTextContents()));
  });
});
