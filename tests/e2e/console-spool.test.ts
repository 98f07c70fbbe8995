/** The spool in the console, in Chromium with the real program, while Kafka is away and after it is back. */
import path from "node:path";
import { jest } from "@jest/globals";
import type { Page } from "playwright-core";
import { describeBrowser } from "../support/browser.ts";
import { type ConsoleStand, signIn, startConsole } from "../support/console.ts";
import { signIn as tokenOf } from "../support/gateway.ts";
import { describeOwnKafka } from "../support/kafka/describe.ts";
import { type KafkaServer, startKafka } from "../support/kafka/server.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";

jest.setTimeout(180_000);

describeBrowser("the console with a spool", () => {
  describeOwnKafka("and a Kafka that goes away", () => {
    let kafka: KafkaServer;
    let stand: ConsoleStand;
    let page: Page;

    beforeAll(async () => {
      kafka = await startKafka();
      stand = await startConsole({
        broker: { type: "kafka", kafka: { brokers: [...kafka.brokers], deliveryTimeout: "3s" } },
        spool: {
          dir: temporaryDirectory("spool-console-"),
          after: "300ms",
          for: ["station:clicks"],
        },
      });
      page = await stand.browser.newPage();
      await signIn(page, stand.gateway);
    });
    afterAll(async () => {
      await stand.close();
      await kafka.stop();
    });

    const produce = async (events: number): Promise<string | null> => {
      const answer = await fetch(`${stand.gateway.url}/stations/clicks/produce/batch`, {
        method: "POST",
        headers: {
          authorization: `Bearer ${await tokenOf(stand.gateway)}`,
          "content-type": "application/json",
        },
        body: JSON.stringify(Array.from({ length: events }, (_, n) => ({ n }))),
      });
      return answer.headers.get("stationgate-stored");
    };

    const panel = () => page.getByRole("region", { name: "Spool" });

    /** For a person who looks at the page: SCREENSHOTS names a directory. */
    const photograph = async (name: string): Promise<void> => {
      const directory = process.env["SCREENSHOTS"];
      if (directory === undefined) return;
      for (const colorScheme of ["light", "dark"] as const)
        for (const width of [1280, 400]) {
          await page.emulateMedia({ colorScheme });
          await page.setViewportSize({ width, height: 900 });
          const file = path.join(directory, `${name}-${colorScheme}-${width}.png`);
          await page.screenshot({ path: file, fullPage: true });
        }
    };

    it("shows how much is in the spool, how old it is, and at what rate it drains", async () => {
      await page.goto(`${stand.gateway.adminUrl}/#/health`);
      await panel().getByText("0 B of 1 GiB (0%)").waitFor();
      await kafka.kill();
      expect(await produce(25)).toBe("spool");
      await panel().getByText("25", { exact: true }).waitFor();
      expect(await panel().textContent()).toMatch(/Size\d.* KiB of 1 GiB \(0%\)Oldest event\d.* old/);
      await page.getByText("ready, spooling").waitFor();
      await page.getByText("ready: events go to the spool").waitFor();
      await photograph("spooling");
      await kafka.start();
      await panel()
        .getByText("0/s (25)")
        .or(panel().getByText(/\d\/s \(25\)/))
        .first()
        .waitFor();
      await page
        .locator(".legend li")
        .filter({ hasText: /^Drained .*\(peak (?!0\/s).*total 25/ })
        .waitFor();
      await page.getByText("ready", { exact: true }).waitFor();
      expect(await panel().textContent()).toContain("Oldest event–");
      await photograph("drained");
    });
  });
});
