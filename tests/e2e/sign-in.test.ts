/** The sign-in with a real identity provider, in Chromium, with the real program. */
import { jest } from "@jest/globals";
import type { Browser, BrowserContext, Page } from "playwright-core";
import { describeBrowser, launchBrowser } from "../support/browser.ts";
import { freePort } from "../support/free-port.ts";
import { ADMIN_TOKEN, type Gateway, startGateway } from "../support/gateway.ts";
import {
  CLIENT,
  type IdentityProvider,
  signInAtProvider,
  startIdentityProvider,
} from "../support/real-provider.ts";

jest.setTimeout(120_000);

const GROUPS = { ann: ["kafka-ops", "staff"], eve: ["others"] };

describeBrowser("the sign-in with an identity provider", () => {
  let browser: Browser;
  let gateway: Gateway;
  let idp: IdentityProvider;
  let context: BrowserContext;
  let page: Page;
  let complaints: string[];

  beforeAll(async () => {
    const port = await freePort();
    const publicUrl = `http://127.0.0.1:${port}`;
    idp = await startIdentityProvider({ publicUrl, groups: GROUPS });
    [browser, gateway] = await Promise.all([
      launchBrowser(),
      startGateway({
        settings: {
          admin: {
            ...{ host: "127.0.0.1", port, token: ADMIN_TOKEN, publicUrl },
            oidc: {
              ...{ issuer: idp.issuer, ...CLIENT, label: "Example ID", endSession: true },
              roles: { operator: ["kafka-ops"], viewer: ["staff"] },
            },
          },
        },
      }),
    ]);
  });
  afterAll(async () => {
    await browser.close();
    await gateway[Symbol.asyncDispose]();
    await idp.close();
  });
  beforeEach(async () => {
    context = await browser.newContext();
    page = await context.newPage();
    complaints = [];
    // The pages of the provider load fonts of another site.
    page.on("console", (message) => {
      const isOurs = message.location().url.startsWith(gateway.adminUrl);
      const isSignIn = message.text().includes("401 (Unauthorized)");
      if (isOurs && !isSignIn && ["error", "warning"].includes(message.type()))
        complaints.push(message.text());
    });
  });
  afterEach(() => context.close());

  const link = () => page.getByRole("link", { name: "Sign in with Example ID" });

  /** On the pages of the provider. */
  const signInAs = async (account: string): Promise<void> => {
    await page.locator("input[name=login]").fill(account);
    await page.locator("input[name=password]").fill("any");
    await page.locator("button[type=submit]").click();
    await page.locator("button[type=submit]").click();
  };

  it("goes to the page that the operator asked for, shows the name, and signs out at both", async () => {
    await page.goto(`${gateway.adminUrl}/#/health`);
    await link().click();
    await signInAs("ann");
    await page.getByRole("heading", { name: "Health" }).waitFor();
    expect(page.url()).toBe(`${gateway.adminUrl}/#/health`);
    await page.getByText("ann@example").waitFor();
    const cookies = (await context.cookies(gateway.adminUrl)).filter(({ name }) =>
      name.startsWith("stationgate"),
    );
    expect(cookies.map(({ name, httpOnly, sameSite }) => [name, httpOnly, sameSite])).toEqual([
      ["stationgate-session", true, "Strict"],
    ]);
    expect(complaints).toEqual([]);
    await page.reload();
    await page.getByText("ann@example").waitFor();

    await page.getByRole("button", { name: "Sign out" }).click();
    await page.getByText("Do you want to sign-out").waitFor();
    expect(new URL(page.url()).origin).toBe(idp.issuer);
    await page.getByRole("button", { name: "Yes, sign me out" }).click();
    await link().waitFor();
    expect(page.url()).toBe(`${gateway.adminUrl}/`);
  });

  it("says that the operator has no role here, and offers the sign-in again", async () => {
    await page.goto(gateway.adminUrl);
    await link().click();
    await signInAs("eve");
    await page.getByRole("alert").getByText("Signed in as eve@example, but without a role here").waitFor();
    await link().waitFor();
    await page.goto(gateway.adminUrl);
    await page.getByLabel("The operators’ token").waitFor();
  });

  it("says that the provider refused", async () => {
    await page.goto(gateway.adminUrl);
    await link().click();
    await page.getByRole("link", { name: "Cancel" }).click();
    await page.getByRole("alert").getByText("The identity provider refused: access_denied").waitFor();
  });

  it("refuses an answer that another client has begun", async () => {
    const begun = await fetch(`${gateway.adminUrl}/session/oidc`, { redirect: "manual" });
    const answer = await signInAtProvider(begun.headers.get("location") ?? "", "ann");
    expect(answer.href.startsWith(`${gateway.adminUrl}/session/oidc/callback?code=`)).toBe(true);
    const response = await page.goto(answer.href);
    expect(response?.status()).toBe(400);
    await page
      .getByRole("alert")
      .getByText("This sign-in has expired or was begun in another browser")
      .waitFor();
    expect(await context.cookies()).toEqual([]);
  });
});
