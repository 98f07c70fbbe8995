/** Builds dist/: an ES module, and a file for a script tag, which sets `Stationgate`. */
import { build } from "esbuild";

/**
 * Properties of the SDK's own objects, which the builds shorten: none of these names may be an option, be sent or kept, or
 * be the browser's. A name that is missing here costs some bytes and nothing else.
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
// esbuild's own `globalName` would bring along 200 bytes of what a module's exports need.
await build({
  ...shared,
  stdin: {
    contents: 'import { createProducer } from "./src/index.ts"; self.Stationgate = { createProducer };',
    resolveDir: import.meta.dirname,
  },
  format: "iife",
  outfile: "dist/stationgate.js",
});
