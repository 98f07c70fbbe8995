/** The sign-in with a real identity provider, in Chromium, with the real program. */
import { jest } from "@jest/globals";
import type { BrowserContext, Page } from "playwright-core";
import { describeBrowser } from "../support/browser.ts";
import { admin, createConnector } from "../support/connector-api.ts";
import { type ConsoleStand, startConsole } from "../support/console.ts";
import { freePort } from "../support/free-port.ts";
import { ADMIN_TOKEN, type Gateway } from "../support/gateway.ts";
import {
  CLIENT,
  type IdentityProvider,
  signInAtProvider,
  startIdentityProvider,
} from "../support/real-provider.ts";

jest.setTimeout(120_000);

const GROUPS = { ann: ["kafka-ops", "staff"], eve: ["others"] };

describeBrowser("the sign-in with an identity provider", () => {
  let stand: ConsoleStand;
  let gateway: Gateway;
  let idp: IdentityProvider;
  let context: BrowserContext;
  let page: Page;
  let complaints: string[];

  beforeAll(async () => {
    const port = await freePort();
    const publicUrl = `http://127.0.0.1:${port}`;
    idp = await startIdentityProvider({ publicUrl, groups: GROUPS });
    stand = await startConsole({
      admin: {
        ...{ host: "127.0.0.1", port, token: ADMIN_TOKEN, publicUrl },
        oidc: {
          ...{ issuer: idp.issuer, ...CLIENT, label: "Example ID", endSession: true },
          roles: { operator: ["kafka-ops"], viewer: ["staff"] },
        },
      },
    });
    ({ gateway } = stand);
  });
  afterAll(async () => {
    await stand.close();
    await idp.close();
  });
  beforeEach(async () => {
    context = await stand.browser.newContext();
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

  it("changes nothing with the path of a change as the page to return to", async () => {
    await createConnector(gateway, "crm", { sink: stand.sink, topic: "clicks" });
    const stateNow = async () =>
      ((await admin(gateway, "GET", "/connectors/crm/status")) as { connector: { state: string } }).connector
        .state;
    const begin = `${gateway.adminUrl}/session/oidc?return=${encodeURIComponent("/connectors/crm/pause")}`;
    await page.goto(begin);
    const paused = () => page.waitForResponse(`${gateway.adminUrl}/connectors/crm/pause`);
    /** Goes there as a link of the present page does. */
    const follow = async (url: string): Promise<number> => {
      await page.waitForLoadState();
      const [answer] = await Promise.all([
        paused(),
        page.evaluate(`void setTimeout(() => location.assign(${JSON.stringify(url)}))`),
      ]);
      return answer.status();
    };
    const [first] = await Promise.all([paused(), signInAs("ann")]);
    expect(first.status()).toBe(401);
    await link().waitFor();
    // The provider now has a session, so that the browser goes through all pages by itself.
    expect(await follow(begin)).toBe(401);
    await link().waitFor();
    // The browser has a session here, and a page of the gateway leads to the change.
    await page.goto(gateway.adminUrl);
    expect(await follow("/connectors/crm/pause")).toBe(401);
    await link().waitFor();
    expect(await stateNow()).toBe("RUNNING");
    const shown = await page.goto(`${gateway.adminUrl}/session`);
    expect(await shown?.json()).toMatchObject({ name: "ann@example", role: "operator", via: "oidc" });
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
