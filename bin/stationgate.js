#!/usr/bin/env node
/** The command of the package: it is there before the first build, so that npx finds it, and then says what is missing. */
import { existsSync } from "node:fs";

const program = new URL("../dist/cli/main.js", import.meta.url);

if (existsSync(program)) {
  await import(program.href);
} else {
  process.stderr.write("stationgate is not built yet: run `npm run build` first\n");
  process.exitCode = 2;
}
