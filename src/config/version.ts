/** The program's version, as its package says, and the commit that it was built from. */
import { readFileSync } from "node:fs";
import { commitOf } from "./commit.ts";

const root = new URL("../../", import.meta.url);

const manifest = JSON.parse(readFileSync(new URL("package.json", root), "utf8")) as {
  readonly version: string;
  /** Images and published packages carry it, having no repository. */
  readonly gitHead?: string;
};

export const VERSION = manifest.version;

export const COMMIT = manifest.gitHead ?? commitOf(root) ?? "unknown";
