#!/usr/bin/env node
/** The server process, which the image starts. */
import { parseArguments } from "./config/arguments.ts";
import { runProcess } from "./main/run.ts";

await runProcess(() => parseArguments(process.argv.slice(2)));
