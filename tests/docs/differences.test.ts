/** Each row of the tables that compare the gateway with the originals has an existing test. */
import { existsSync, readFileSync } from "node:fs";
import { DIFFERENCES } from "./differences.ts";

const HEADING = "## The same and not the same\n";

const rowsOf = (guide: string): readonly string[] => {
  const text = readFileSync(guide, "utf8");
  const from = text.indexOf(HEADING);
  if (from === -1) throw new Error(`${guide} has no "${HEADING.trim()}"`);
  const section = text.slice(from + HEADING.length).split(/^## /m)[0] ?? "";
  const lines = section.split("\n").filter((line) => line.startsWith("|"));
  return lines.slice(2).map((line) => line.split("|")[1]?.trim() ?? "");
};

describe.each(Object.entries(DIFFERENCES))("%s", (guide, tests) => {
  it("names a test for each row of its table, and for no other", () => {
    expect([...rowsOf(guide)].sort()).toEqual(Object.keys(tests).sort());
  });

  it.each(Object.entries(tests))("has the test of: %s", (_, [file, title]) => {
    expect(existsSync(file)).toBe(true);
    expect(readFileSync(file, "utf8")).toContain(title);
  });
});
