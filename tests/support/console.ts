/** The operators' console in a browser. */
import type { Page } from "playwright-core";
import { ADMIN_TOKEN, type Gateway } from "./gateway.ts";

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
