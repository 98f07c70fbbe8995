#!/usr/bin/env node
/** The server process, which the image starts. */
import { holdHangUps } from "./main/hang-up.ts";

holdHangUps();
const [{ parseArguments }, { runProcess }] = await Promise.all([
  import("./config/arguments.ts"),
  import("./main/run.ts"),
]);
await runProcess(() => parseArguments(process.argv.slice(2)));
