/** The documents speak of the house as it is. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { ERRORS } from "../src/errors.ts";

const decisions = readdirSync("docs/decisions").map((name) => `docs/decisions/${name}`);
const pages = ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "docs/errors.md", ...decisions];

it.each(pages)("every path that %s names exists", (page) => {
  const named = readFileSync(page, "utf8").matchAll(
    /`((?:src|tests|docs|proto|schemas|helm|bench|sdk|examples)\/[^`\s*{]*)`/g,
  );
  const gone = [...named].flatMap(([, path]) => (path === undefined || existsSync(path) ? [] : [path]));
  expect(gone).toEqual([]);
});

it("docs/errors.md lists each error code once, with its status, and no other", () => {
  const rows = [...readFileSync("docs/errors.md", "utf8").matchAll(/^\|\s*`([A-Z_]+)`\s*\|\s*(\d{3})\s/gm)];
  const documented = rows.map(([, code, status]) => `${code ?? ""} ${status ?? ""}`).sort();
  expect(documented).toEqual(
    Object.entries(ERRORS)
      .map(([code, { status }]) => `${code} ${status}`)
      .sort(),
  );
});
