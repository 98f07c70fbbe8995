/** Runs every block of commands in the pages. A block that is not run is marked with the reason. */
import { readdirSync } from "node:fs";
import { access, readFile } from "node:fs/promises";
import path from "node:path";
import { describeKafka } from "../support/kafka/describe.ts";
import {
  fencesOf,
  isRun,
  needsKafka,
  needsRegistry,
  readPage,
  unmarked,
  type Page,
} from "../support/pages/blocks.ts";
import { describeApicurio } from "../support/registry/apicurio.ts";
import { runPage } from "../support/pages/run.ts";
import { describeWithTools } from "../support/tools.ts";

const below = (folder: string): readonly string[] =>
  readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".md") && !name.includes("node_modules"))
    .map((name) => path.join(folder, name));

const files = [
  "README.md",
  "ARCHITECTURE.md",
  "CONTRIBUTING.md",
  "sdk/README.md",
  "helm/stationgate/README.md",
  ...below("docs"),
  ...below("examples"),
];
const pages = await Promise.all(files.map(readPage));

const itPrintsWhatItPromises = (
  page: Page,
  servers: () => Parameters<typeof runPage>[1] = () => ({}),
): void => {
  it(`${page.file} prints the promised output`, async () => {
    const blocks = await runPage(page, servers());
    expect(blocks.map(({ line, printed }) => ({ line, printed }))).toEqual(
      blocks.map(({ line, promised }) => ({ line, printed: promised })),
    );
  }, 180_000);
};

it("every block of commands is run or marked", () => {
  expect(pages.flatMap(unmarked)).toEqual([]);
});

it("finds commands that are neither run nor marked", () => {
  const fences = fencesOf("```sh\nls\n```\n\n```sh someday\nls\n```\n\n- a list\n\n  ```bash\n  ls\n  ```\n");
  expect(unmarked({ file: "page.md", fences })).toEqual(["page.md:5 sh someday", "page.md:11 bash "]);
});

it.each([
  ["what is promised and not printed", "echo a\n#> a\n#> b\n", [["a"], ["a", "b"]]],
  ["what is printed and not promised", "echo a; echo b\n#> a\n", [["a", "b"], ["a"]]],
])("tells %s", async (_, text, [printed, promised]) => {
  const [run] = await runPage({ file: "page.md", fences: [{ language: "sh", word: "", text, line: 1 }] });
  expect(run).toEqual({ line: 1, printed, promised });
});

it("reports a failed command", async () => {
  const page = { file: "page.md", fences: [{ language: "sh", word: "", text: "false | true\n", line: 1 }] };
  await expect(runPage(page)).rejects.toThrow("ended with 1");
});

describeWithTools("the commands of the pages", ["bash", "curl", "openssl", "sed"], () => {
  for (const page of pages.filter((each) => isRun(each) && !needsKafka(each) && !needsRegistry(each)))
    itPrintsWhatItPromises(page);

  describeKafka("with Kafka", (kafka) => {
    for (const page of pages.filter((each) => isRun(each) && needsKafka(each)))
      itPrintsWhatItPromises(page, () => ({ kafka: kafka.brokers[0] }));
  });

  describeApicurio("with a schema registry", (registry) => {
    for (const page of pages.filter((each) => isRun(each) && needsRegistry(each)))
      itPrintsWhatItPromises(page, () => ({ registry: new URL(registry.url).host }));
  });
});

it.each(pages.map(({ file }) => file))("%s links only to files that exist", async (file) => {
  const text = await readFile(file, "utf8");
  const links = [...text.matchAll(/\]\(([^)#:]+)(?:#[^)]*)?\)/g)].map(([, link = ""]) => link);
  const gone: string[] = [];
  for (const link of links) await access(path.join(path.dirname(file), link)).catch(() => gone.push(link));
  expect(gone).toEqual([]);
});
