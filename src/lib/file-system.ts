import { existsSync, mkdirSync, statSync } from "node:fs";
import { dirname } from "node:path";

/** The system's name of a failed call (`ENOENT`), where the error has one. Looks at no class: errors come from other realms. */
export const errnoOf = (error: unknown): string | undefined => {
  const code: unknown =
    typeof error === "object" && error !== null && "code" in error ? error.code : undefined;
  return typeof code === "string" ? code : undefined;
};

/**
 * Makes a directory with its parents where it is missing. Throws node's error where that is not possible: node's own
 * recursive mkdir never returns where a parent exists and takes no directories, as in /proc.
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
