/** The recipes of CONTRIBUTING.md and the lives in ARCHITECTURE.md name existing files, and not more than they state. */
import { existsSync, readFileSync } from "node:fs";
import path from "node:path";

/** Sections of a page by their headings. */
const sectionsOf = (page: string, heading: "## " | "### "): ReadonlyMap<string, string> => {
  const parts = readFileSync(page, "utf8").split(new RegExp(`^#{2,${heading.length - 1}} `, "m"));
  return new Map(
    parts.slice(1).map((part) => [part.slice(0, part.indexOf("\n")), part.slice(part.indexOf("\n"))]),
  );
};

/** The source files that a text names, without duplicates. The reader chooses the part of a path in braces. */
const filesIn = (text: string): readonly string[] => [
  ...new Set([...text.matchAll(/`((?:src|console)\/[^`\s]+\.(?:ts|js))`/g)].map(([, file = ""]) => file)),
];

/** Only the numbered steps with their lines. */
const stepsOf = (text: string): string => (text.match(/^(?:\d+\.| {3}).*$/gm) ?? []).join("\n");

const exists = (file: string): boolean => existsSync(file.includes("{") ? path.dirname(file) : file);

const recipes = [...sectionsOf("CONTRIBUTING.md", "### ")].flatMap(([title, text]) => {
  const [, name, most] = /^(.+) \((\d+) files?\)$/.exec(title) ?? [];
  return name === undefined ? [] : [{ name, most: Number(most), files: filesIn(stepsOf(text)) }];
});

/** Maximum number of files that each usual change may touch. */
const MOST = {
  "A signature scheme": 3,
  "A retry default": 1,
  "A REST Proxy endpoint": 3,
  "A metric": 2,
  "A console page": 2,
  "A setting": 3,
  "A schema kind: Avro by a registry": 8,
  "A signature algorithm of issuers": 3,
};

it.each(Object.entries(MOST))("CONTRIBUTING.md has a recipe for this change: %s, %i files", (name, most) => {
  const recipe = recipes.find((each) => each.name === name);
  expect(recipe?.most).toBeLessThanOrEqual(most);
});

it.each(recipes)("the recipe names its files: $name", ({ most, files }) => {
  expect(files.filter((file) => !exists(file))).toEqual([]);
  expect(files).toHaveLength(most);
});

it.each(["The life of a produce", "The life of a delivery"])("%s passes at most eight files", (title) => {
  const files = filesIn(sectionsOf("ARCHITECTURE.md", "## ").get(title) ?? "");
  expect(files.length).toBeGreaterThan(0);
  expect(files.length).toBeLessThanOrEqual(8);
});
