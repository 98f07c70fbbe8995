import { existsSync, mkdirSync, statSync } from "node:fs";
import { dirname } from "node:path";

/**
 * The system's error code (such as `ENOENT`), if any. Doesn't use `instanceof`, because errors may come from other
 * realms.
 */
export const errnoOf = (error: unknown): string | undefined => {
  const code: unknown =
    typeof error === "object" && error !== null && "code" in error ? error.code : undefined;
  return typeof code === "string" ? code : undefined;
};

/**
 * Creates a directory and its parents if they are missing. Throws Node's error on failure. Node's recursive mkdir is not
 * used because it never returns if an existing parent refuses new directories, as in /proc.
 */
export const makeDirectory = (directory: string, mode = 0o777): void => {
  try {
    mkdirSync(directory, { mode });
  } catch (error) {
    const parent = dirname(directory);
    if (errnoOf(error) === "EEXIST" && statSync(directory).isDirectory()) return;
    if (errnoOf(error) !== "ENOENT" || existsSync(parent)) throw error;
    makeDirectory(parent, mode);
    makeDirectory(directory, mode);
  }
};
