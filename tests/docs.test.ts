/** The documents speak of the house as it is. */
import { existsSync, readdirSync, readFileSync } from "node:fs";

const below = (folder: string): readonly string[] =>
  readdirSync(folder)
    .filter((name) => name.endsWith(".md"))
    .map((name) => `${folder}/${name}`);

const pages = [
  "README.md",
  "ARCHITECTURE.md",
  "CONTRIBUTING.md",
  ...below("docs"),
  ...below("docs/guides"),
  ...below("docs/decisions"),
];

it.each(pages)("every path that %s names exists", (page) => {
  const named = readFileSync(page, "utf8").matchAll(
    /`((?:src|tests|docs|proto|schemas|helm|bench|sdk|examples|deploy|console)\/[^`\s*{]*)`/g,
  );
  const gone = [...named].flatMap(([, path]) => (path === undefined || existsSync(path) ? [] : [path]));
  expect(gone).toEqual([]);
});

it.each([
  ["README.md", "docs/guides/"],
  ["docs/README.md", "guides/"],
])("%s links every guide", (page, prefix) => {
  const text = readFileSync(page, "utf8");
  const guides = readdirSync("docs/guides").map((name) => `(${prefix}${name})`);
  expect(guides.filter((link) => !text.includes(link))).toEqual([]);
});

/** Not ours to describe: made, fetched, or the machine's. */
const NO_ROOMS = ["node_modules", "dist", "coverage", "data"];

const foldersIn = (folder: string): readonly string[] =>
  readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && !entry.name.startsWith("."))
    .map(({ name }) => name);

it("ARCHITECTURE.md lists every folder", () => {
  const text = readFileSync("ARCHITECTURE.md", "utf8");
  const rooms = foldersIn(".").filter((name) => !NO_ROOMS.includes(name));
  const floors = foldersIn("src").map((name) => `src/${name}`);
  const halls = ["http", "ingest", "delivery", "broker", "observability"];
  const inside = halls.flatMap((hall) => foldersIn(`src/${hall}`).map((name) => `src/${hall}/${name}`));
  const unknown = [...rooms, ...floors, ...inside].filter((folder) => !text.includes(`\`${folder}/`));
  expect(unknown).toEqual([]);
});
