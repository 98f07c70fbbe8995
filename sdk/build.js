/** Builds dist/: an ES module, and a file for a script tag, which sets `Stationgate`. */
import { build } from "esbuild";

const shared = {
  absWorkingDir: import.meta.dirname,
  entryPoints: ["src/index.ts"],
  bundle: true,
  minify: true,
  target: "es2020",
  logLevel: "warning",
};

await build({ ...shared, format: "esm", sourcemap: true, outfile: "dist/stationgate.mjs" });
await build({ ...shared, format: "iife", globalName: "Stationgate", outfile: "dist/stationgate.js" });
