/** Makes JavaScript of a TypeScript file for jest. Types are checked by `npm run typecheck`, so esbuild only removes them. */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { transformSync, version } from "esbuild";

const own = readFileSync(new URL(import.meta.url));

export default {
  getCacheKey: (source, sourcePath) =>
    createHash("sha256")
      .update(own)
      .update(version)
      .update(sourcePath)
      .update("\0")
      .update(source)
      .digest("hex"),
  process: (source, sourcePath) => ({
    code: transformSync(source, {
      ...{ loader: "ts", format: "esm", target: "node20", sourcemap: "inline", sourcefile: sourcePath },
      tsconfigRaw: { compilerOptions: { verbatimModuleSyntax: true, target: "es2023" } },
    }).code,
  }),
};
