import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { waysTo } from "../../../src/lib/file-watch/ways.ts";

let root = "";

beforeEach(() => {
  root = realpathSync(mkdtempSync(path.join(tmpdir(), "stationgate-ways-")));
});

afterEach(() => {
  rmSync(root, { recursive: true });
});

/** The ways with paths relative to the test's directory, without the directory above it. */
const ways = (...files: readonly string[]) =>
  Object.fromEntries(
    [...waysTo(files.map((file) => path.join(root, file)))]
      .filter(([directory]) => directory !== path.dirname(root))
      .map(([directory, { names }]) => [path.relative(root, directory) || ".", [...names].sort()]),
  );

it("has the directory above that of a file, because the directory can be replaced", () => {
  expect(waysTo(["/a/b/c.yaml", "/d.yaml"])).toEqual(
    new Map([
      ["/a/b", { names: new Set(["c.yaml"]), hasFile: true }],
      ["/a", { names: new Set(["b"]), hasFile: false }],
      ["/", { names: new Set(["d.yaml"]), hasFile: true }],
    ]),
  );
});

it("has the directory of each file", () => {
  expect(ways("a.yaml", "b.yaml", "c/d.json")).toEqual({ ".": ["a.yaml", "b.yaml", "c"], c: ["d.json"] });
});

it("has the directory of each link of a mounted ConfigMap", () => {
  mkdirSync(path.join(root, "..2026"));
  symlinkSync("..2026", path.join(root, "..data"));
  symlinkSync("..data/a.yaml", path.join(root, "a.yaml"));

  expect(ways("a.yaml")).toEqual({ ".": ["..2026", "..data", "a.yaml"], "..2026": ["a.yaml"] });
});

it("follows absolute links and links to directories", () => {
  mkdirSync(path.join(root, "real/inner"), { recursive: true });
  symlinkSync(path.join(root, "real"), path.join(root, "link"));

  expect(ways("link/inner/a.yaml")).toEqual({ ".": ["link"], real: ["inner"], "real/inner": ["a.yaml"] });
});

it("ends for links in a circle", () => {
  symlinkSync("two", path.join(root, "one"));
  symlinkSync("one", path.join(root, "two"));

  expect(Object.keys(ways("one/a.yaml"))).toContain(".");
});
