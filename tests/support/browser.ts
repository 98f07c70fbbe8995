/** A real Chromium for tests, and the SDK script for its pages. */
import { existsSync } from "node:fs";
import path from "node:path";
import { build } from "esbuild";
import { chromium, type Browser } from "playwright-core";

const EXECUTABLE = process.env["CHROMIUM"] ?? "/usr/bin/chromium";

/** Flags that turn off all requests of Chromium itself. */
const FLAGS = [
  "--headless",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

const howTo = "install Chromium (apt-get install chromium), or set CHROMIUM to its path";

/** `describe` for tests that need Chromium. Without it they are skipped with a message, or fail if they are required. */
export const describeBrowser = (name: string, tests: () => void): void => {
  if (existsSync(EXECUTABLE)) {
    describe(name, tests);
  } else if (process.env["BROWSER_TESTS"] === "required") {
    describe(name, () => {
      it("finds Chromium if BROWSER_TESTS=required", () => {
        throw new Error(`no Chromium at ${EXECUTABLE}; ${howTo}`);
      });
    });
  } else {
    process.stderr.write(`SKIPPED, no Chromium: ${name} (${howTo})\n`);
    describe.skip(`${name} [skipped: no Chromium]`, tests);
  }
};

export const launchBrowser = (): Promise<Browser> =>
  chromium.launch({ executablePath: EXECUTABLE, args: FLAGS });

/** The SDK as a script for a script tag, built from its source. */
export const sdkScript = async (): Promise<string> => {
  const built = await build({
    entryPoints: [path.resolve("sdk/src/index.ts")],
    bundle: true,
    format: "iife",
    globalName: "Stationgate",
    target: "es2020",
    write: false,
  });
  return built.outputFiles[0]?.text ?? "";
};
