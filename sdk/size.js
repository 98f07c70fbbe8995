/** Fails if a build, minified and gzipped, is larger than the limit. */
import { readFileSync } from "node:fs";
import path from "node:path";
import { gzipSync } from "node:zlib";

const LIMIT = 5000;

for (const name of ["stationgate.mjs", "stationgate.js"]) {
  const bytes = gzipSync(readFileSync(path.join(import.meta.dirname, "dist", name)), { level: 9 }).length;
  process.stdout.write(`${name}: ${bytes} of ${LIMIT} bytes gzipped\n`);
  if (bytes >= LIMIT) process.exitCode = 1;
}
