/** The operators' console in a browser. */
import type { Browser, Page } from "playwright-core";
import { launchBrowser } from "./browser.ts";
import { ADMIN_TOKEN, type Gateway, startGateway } from "./gateway.ts";
import { type HttpSink, startHttpSink } from "./http-sink.ts";

export interface ConsoleStand {
  readonly browser: Browser;
  readonly gateway: Gateway;
  readonly sink: HttpSink;
  close(): Promise<void>;
}

/**
 * Starts a browser, an endpoint for deliveries, and a gateway that may deliver to it and has the station `clicks`. `settings` are
 * further settings of the gateway, and replace these.
 */
export const startConsole = async (
  settings: Readonly<Record<string, unknown>> = {},
): Promise<ConsoleStand> => {
  const [browser, sink, gateway] = await Promise.all([
    launchBrowser(),
    startHttpSink(),
    startGateway({
      settings: {
        delivery: { allowTargets: ["127.0.0.0/8"] },
        stations: [{ name: "clicks", partitions: 1 }],
        ...settings,
      },
    }),
  ]);
  return {
    ...{ browser, sink, gateway },
    close: async () => {
      await browser.close();
      await gateway[Symbol.asyncDispose]();
      await sink.close();
    },
  };
};

/**
 * Errors and warnings of the page, without those that Chromium reports for expected responses: the 401 of the sign-in
 * page, and the 400 for a connector without a dead letter topic.
 */
export const complaintsOf = (page: Page): string[] => {
  const complaints: string[] = [];
  page.on("pageerror", (error) => complaints.push(String(error)));
  page.on("console", (message) => {
    const isSignIn = message.text().includes("401 (Unauthorized)");
    const isDeadLetters = message.location().url.endsWith("/dead-letters");
    if (["error", "warning"].includes(message.type()) && !isSignIn && !isDeadLetters)
      complaints.push(message.text());
  });
  return complaints;
};

export const signIn = async (page: Page, gateway: Gateway, token = ADMIN_TOKEN): Promise<void> => {
  await page.goto(gateway.adminUrl);
  await page.getByLabel("The operators’ token").fill(token);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByRole("heading", { name: "Stations" }).waitFor();
};
