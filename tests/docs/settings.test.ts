/** The program accepts all settings that the pages show. */
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { loadSettings } from "../../src/config/load.ts";
import { readPage } from "../support/pages/blocks.ts";

const guides = readdirSync("docs/guides").map((name) => `docs/guides/${name}`);
const pages = await Promise.all(["README.md", ...guides].map(readPage));
const shown = pages.flatMap(({ file, fences }) =>
  fences
    .filter(({ language, word }) => language === "yaml" && (word === "" || word === "stationgate.yaml"))
    .map(({ line, text }): readonly [string, string] => [`${file}:${line}`, text]),
);

/** Faults that an excerpt of a settings file may have: missing files, and missing secrets of tokens. */
const ELSEWHERE =
  /auth\.(access|refresh)Token\.secret|\/run\/secrets\/|anchor-config\.yaml|schemas\/|cannot be read|path of a file|not a readable file/;

const faultsOf = (yaml: string): readonly string[] => {
  const folder = mkdtempSync(path.join(tmpdir(), "stationgate-shown-"));
  try {
    const file = path.join(folder, "stationgate.yaml");
    writeFileSync(file, yaml);
    const loaded = loadSettings({ configFile: file, env: {}, cwd: folder });
    return loaded.status === "loaded" ? [] : loaded.faults.filter((fault) => !ELSEWHERE.test(fault));
  } finally {
    rmSync(folder, { recursive: true });
  }
};

it.each(shown)("%s", (_where, yaml) => {
  expect(faultsOf(yaml)).toEqual([]);
});

it("reports an unknown setting", () => {
  expect(faultsOf("server: { prot: 1 }\n")).toEqual(["server.prot: is unknown, did you mean port?"]);
});
