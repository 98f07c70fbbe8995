/** Replaces the built `client-library.js` by a bundle of the parts of `@platformatic/kafka` that it exports. */
import { build } from "esbuild";

const MODULE = "dist/broker/kafka/client-library.js";

/** CommonJS packages in the bundle call `require` for Node's own modules. */
const BANNER = `// Parts of @platformatic/kafka and of its dependencies, bundled. Their licences are in node_modules, in the folder of each package.
import { createRequire as createBundleRequire } from "node:module";
const require = createBundleRequire(import.meta.url);`;

/** At its import the package prepares ajv, with which its clients check their options. The gateway uses none of these clients. */
const NO_AJV = "export class Ajv2020 { addKeyword() {} }";

/**
 * Leaves out ajv, and all modules of which nothing is used. esbuild keeps a module whose import may have an effect, and the
 * package does not declare that its modules have none.
 */
const usedParts = {
  name: "used-parts",
  setup: ({ onLoad, onResolve, resolve }) => {
    onResolve({ filter: /^ajv\b/ }, ({ path }) => ({ path, namespace: "no-ajv" }));
    onLoad({ filter: /./, namespace: "no-ajv" }, () => ({ contents: NO_AJV }));
    onResolve({ filter: /./ }, async ({ path, pluginData, ...given }) => {
      if (pluginData === "resolving" || given.kind === "entry-point") return undefined;
      const found = await resolve(path, { ...given, pluginData: "resolving" });
      return { ...found, sideEffects: false };
    });
  },
};

await build({
  entryPoints: [MODULE],
  outfile: MODULE,
  allowOverwrite: true,
  bundle: true,
  platform: "node",
  format: "esm",
  target: "node20",
  sourcemap: true,
  sourcesContent: false,
  // The other entrance reads a file beside the module.
  alias: { "@platformatic/wasm-utils": "@platformatic/wasm-utils/bundled" },
  banner: { js: BANNER },
  plugins: [usedParts],
  logLevel: "warning",
});
