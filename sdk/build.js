/** Builds dist/: an ES module, and a file for a script tag, which sets `Stationgate`. */
import { build } from "esbuild";

/**
 * Names of internal properties, which the build shortens. A name of an option, of a stored or sent field, or of a browser API must
 * not be here. A missing name only costs some bytes.
 */
const OWN_NAMES = [
  ...["accepted", "announceHold", "aside", "credentials", "end", "entry", "expect", "failed", "finish"],
  ...["first", "hold", "isDoubtful", "isHeld", "isImposed", "isNew", "isOnItsWay", "isOwn", "isPending"],
  ...["known", "leave", "most", "onItsWay", "options", "pace", "parting", "pending", "queue"],
  ...["react", "reaction", "refused", "register", "rescue", "retryAfter", "retryNow", "settle", "settled"],
  ...["stopWaiting", "succeeded", "take", "tidy", "transact", "unkept", "wake", "wasThere", "writer"],
  ...["written"],
];

const shared = {
  absWorkingDir: import.meta.dirname,
  bundle: true,
  minify: true,
  mangleProps: new RegExp(`^(${OWN_NAMES.join("|")})$`),
  target: "es2020",
  logLevel: "warning",
};

await build({
  ...shared,
  entryPoints: ["src/index.ts"],
  format: "esm",
  sourcemap: "external",
  outfile: "dist/stationgate.mjs",
});
// esbuild's `globalName` would add 200 bytes for the exports of a module.
await build({
  ...shared,
  stdin: {
    contents: 'import { createProducer } from "./src/index.ts"; self.Stationgate = { createProducer };',
    resolveDir: import.meta.dirname,
  },
  format: "iife",
  outfile: "dist/stationgate.js",
});
