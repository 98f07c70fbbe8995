/** docs/reference is equal to the generated pages. */
import { readFileSync } from "node:fs";
import { EXITS } from "../../src/cli/shell.ts";
import { createProgram } from "../../src/cli/program.ts";
import { printEnvExample } from "../../src/config/print.ts";
import { fakeShell } from "../cli/support.ts";
import { startGateway, type Gateway } from "../support/gateway.ts";
import { expectPrinted } from "../support/printed.ts";
import { cliPage, httpPage, metricsPage, settingsPage } from "./reference.ts";

const documentIn = (file: string): Parameters<typeof httpPage>[0] =>
  JSON.parse(readFileSync(file, "utf8")) as Parameters<typeof httpPage>[0];

describe("docs/reference", () => {
  it("lists every setting", async () => {
    await expectPrinted("docs/reference/settings.md", settingsPage(printEnvExample()));
  });

  it("lists every route", async () => {
    const page = httpPage(documentIn("openapi.json"), documentIn("openapi.operators.json"));
    await expectPrinted("docs/reference/http.md", page);
  });

  it("lists every command, option and exit code", async () => {
    const program = createProgram({ shell: fakeShell(), end: () => undefined });
    await expectPrinted("docs/reference/cli.md", cliPage(program, EXITS));
  });

  describe("of a running gateway", () => {
    let gateway: Gateway | undefined;

    afterAll(() => gateway?.[Symbol.asyncDispose]());

    it("lists every metric", async () => {
      gateway = await startGateway();
      const scrape = await (await fetch(`${gateway.adminUrl}/metrics`)).text();
      await expectPrinted("docs/reference/metrics.md", metricsPage(scrape));
    }, 30_000);
  });
});
