/** The program's version from its package.json, and the commit that it was built from. */
import { readFileSync } from "node:fs";

const read = (file: URL): string | undefined => {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return undefined;
  }
};

const HASH = /^[0-9a-f]{40,64}$/;

/** The commit that is checked out in the repository at `root`; undefined: there is no repository. */
export const commitOf = (root: URL): string | undefined => {
  const repository = new URL(".git/", root);
  const head = read(new URL("HEAD", repository))?.trim() ?? "";
  const branch = /^ref: (\S+)$/.exec(head)?.[1];
  if (branch === undefined) return HASH.test(head) ? head : undefined;
  const loose = read(new URL(branch, repository))?.trim();
  if (loose !== undefined) return loose;
  const packed = read(new URL("packed-refs", repository))?.split("\n") ?? [];
  return packed.find((line) => line.endsWith(` ${branch}`))?.split(" ")[0];
};

const root = new URL("../../", import.meta.url);

const manifest = JSON.parse(readFileSync(new URL("package.json", root), "utf8")) as {
  readonly version: string;
  /** Set in images and published packages, which have no repository. */
  readonly gitHead?: string;
};

export const VERSION = manifest.version;

export const COMMIT = manifest.gitHead ?? commitOf(root) ?? "unknown";
