/**
 * A unit is a file, or a folder whose entrance is a file with its name. ARCHITECTURE.md lists the folders that contain
 * several units.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import path from "node:path";

const entries = readdirSync("src", { recursive: true, withFileTypes: true });
const folders = entries
  .filter((entry) => entry.isDirectory())
  .map(({ parentPath, name }) => path.posix.join(parentPath, name));
const files = entries
  .filter(({ name }) => name.endsWith(".ts"))
  .map(({ parentPath, name }) => path.posix.join(parentPath, name));

const isFloor = (folder: string): boolean => path.posix.dirname(folder) === "src";
const isFamily = (folder: string): boolean => path.posix.dirname(folder) === "src/http/handlers";

const architecture = readFileSync("ARCHITECTURE.md", "utf8");
const isListed = (folder: string): boolean => isFloor(folder) || architecture.includes(`\`${folder}/\``);

const hasEntrance = (folder: string): boolean =>
  existsSync(path.join(folder, `${path.posix.basename(folder)}.ts`)) ||
  (isFamily(folder) && existsSync(path.join(folder, "routes.ts")));

it("ARCHITECTURE.md lists every folder without an entrance of its name", () => {
  expect(folders.filter((folder) => !isListed(folder) && !hasEntrance(folder))).toEqual([]);
});

it("no unit is both a file and a folder", () => {
  const both = folders.filter((folder) => !isFloor(folder) && existsSync(`${folder}.ts`));
  expect(both).toEqual([]);
});

it("no file has more than 300 lines", () => {
  const long = files.filter((file) => readFileSync(file, "utf8").split("\n").length > 301);
  expect(long).toEqual([]);
});
