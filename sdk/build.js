/** Builds dist/: for each entrance an ES module, and a file for a script tag, which adds a function to `Stationgate`. */
import { build } from "esbuild";

/**
 * Names of internal properties, which the build shortens. A name of an option, of a stored or sent field, or of a browser API must
 * not be here. A missing name only costs some bytes.
 */
const OWN_NAMES = [
  ...[
    "accepted",
    "announceHold",
    "aside",
    "credentials",
    "doubt",
    "end",
    "entry",
    "expect",
    "failed",
    "finish",
  ],
  ...["first", "hold", "isDoubtful", "isHeld", "isImposed", "isNew", "isOnItsWay", "isOwn", "isPending"],
  ...["known", "leave", "most", "onItsWay", "options", "outcome", "pace", "parting", "pending", "queue"],
  ...[
    "react",
    "reaction",
    "refused",
    "register",
    "remove",
    "rescue",
    "retryAfter",
    "retryNow",
    "settle",
    "settled",
  ],
  ...["stopWaiting", "succeeded", "take", "tidy", "transact", "unkept", "wake", "wasThere", "writer"],
  ...["written"],
];

const MANGLED = { mangleProps: new RegExp(`^(${OWN_NAMES.join("|")})$`) };

/** The lines of a stream contain some of the names above, so `subscribe` is built without them. */
const ENTRANCES = [
  { name: "stationgate", source: "src/index.ts", global: "createProducer", more: MANGLED },
  { name: "subscribe", source: "src/subscribe.ts", global: "subscribe", more: {} },
];

const shared = {
  absWorkingDir: import.meta.dirname,
  bundle: true,
  minify: true,
  target: "es2020",
  logLevel: "warning",
};

for (const { name, source, global, more } of ENTRANCES) {
  await build({
    ...shared,
    ...more,
    entryPoints: [source],
    format: "esm",
    sourcemap: "external",
    outfile: `dist/${name}.mjs`,
  });
  // esbuild's `globalName` would add 200 bytes for the exports of a module.
  await build({
    ...shared,
    ...more,
    stdin: {
      contents: `import { ${global} } from "./${source}"; (self.Stationgate ||= {}).${global} = ${global};`,
      resolveDir: import.meta.dirname,
    },
    format: "iife",
    outfile: `dist/${name}.js`,
  });
}
