/** Fails if a build, minified and gzipped, is larger than the limit. */
import { readFileSync } from "node:fs";
import path from "node:path";
import { gzipSync } from "node:zlib";

const LIMITS = {
  "stationgate.mjs": 4999,
  "stationgate.js": 4999,
  "subscribe.mjs": 2000,
  "subscribe.js": 2000,
};

for (const [name, limit] of Object.entries(LIMITS)) {
  const bytes = gzipSync(readFileSync(path.join(import.meta.dirname, "dist", name)), { level: 9 }).length;
  process.stdout.write(`${name}: ${bytes} of ${limit} bytes gzipped\n`);
  if (bytes > limit) process.exitCode = 1;
}
