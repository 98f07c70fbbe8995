#!/usr/bin/env node
/** The process that serves, as the image and the settings' documentation call it. */
import { parseArguments } from "./config/arguments.ts";
import { runProcess } from "./main/run.ts";

await runProcess(() => parseArguments(process.argv.slice(2)));
