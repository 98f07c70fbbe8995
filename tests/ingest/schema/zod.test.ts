import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync, existsSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { promisify } from "node:util";
import ts from "typescript";
import type { FileValidator } from "../../../src/ingest/schema/validator.ts";
import { importModule, loadZod } from "../../../src/ingest/schema/zod.ts";

const root = path.join(import.meta.dirname, "../../..");
const context = { station: "clicks", limits: { maxDepth: 128 } };
const fixtures = path.join(import.meta.dirname, "zod-schemas.mjs");
const load = (name: string): Promise<FileValidator> =>
  loadZod({ type: "zod", module: fixtures, export: name }, context);
const judge = (validator: FileValidator, event: string): string => {
  const judged = validator.validate(Buffer.from(event), "text/plain");
  return judged.status === "refused" ? judged.error.message : "accepted";
};

describe("a zod schema", () => {
  it("accepts the event's own bytes, also if the schema transforms them", async () => {
    const event = Buffer.from('{ "a": " 1 ", "extra": 1 }');
    const judged = (await load("Trimming")).validate(event, "text/plain");
    expect(judged).toEqual({ status: "accepted", value: event, contentType: "text/plain" });
    expect((judged as { value: Buffer }).value).toBe(event);
  });

  it.each([
    [
      "Nested",
      '{"a":{"b":1},"c":"x"}',
      "zod: a.b: Invalid input: expected string, received number; c: wrong c",
    ],
    [
      "Nested",
      '{"a":{"b":"x"},"c":[{"d":1},{}]}',
      "zod: c.1.d: Invalid input: expected number, received undefined",
    ],
    ["Nested", "[]", "zod: Invalid input: expected object, received array"],
    ["Throwing", "{}", "zod: the schema failed on this event"],
    ["SecretlyAsync", "{}", "zod: the schema failed on this event"],
  ])("%s refuses %s", async (name, event, text) => {
    expect(judge(await load(name), event)).toBe(`Schema validation has failed: ${text}`);
  });

  it("says why an event is not JSON", async () => {
    expect(judge(await load("Nested"), "{")).toMatch(/^Schema validation has failed: Bad JSON format - ./);
  });

  it.each(["AsyncRefinement", "AsyncInside", "AsyncTransform"])(
    "%s is refused at the start",
    async (name) => {
      await expect(load(name)).rejects.toMatchObject({
        code: "SETTINGS_INVALID",
        message: expect.stringMatching(
          /zod-schemas\.mjs can't be used: .*is asynchronous; checks must be synchronous$/s,
        ) as unknown,
      });
    },
  );

  it("can refer to itself", async () => {
    expect(judge(await load("Tree"), '{"children":[{"children":[1]}]}')).toContain("children.0.children.0: ");
  });

  it("is refused at the start if the export is missing", async () => {
    await expect(load("Nobody")).rejects.toThrow(
      /its export Nobody is not a zod schema; its exports are AsyncInside, /,
    );
    await expect(load("notSchema")).rejects.toThrow(/its export notSchema is not a zod schema/);
    await expect(
      loadZod({ type: "zod", module: path.join(root, "nowhere.mjs"), export: "A" }, context),
    ).rejects.toMatchObject({ code: "SETTINGS_INVALID" });
  });

  it("works for the README's station", async () => {
    const module = path.join(root, "schemas/click.mjs");
    const validator = await loadZod({ type: "zod", module, export: "Click" }, context);
    expect(judge(validator, '{"page":"https://shop.example/","target":"buy"}')).toBe("accepted");
    expect(judge(validator, '{"page":"https://shop.example/"}')).toContain("zod: target: ");
  });
});

describe("the import of a module", () => {
  let directory = "";
  let file = "";

  beforeEach(() => {
    directory = mkdtempSync(path.join(tmpdir(), "zod-import-"));
    file = path.join(directory, "a.mjs");
    writeFileSync(file, "one");
  });

  afterEach(() => {
    rmSync(directory, { recursive: true });
  });

  /** Keeps the first result of each URL, as node does. `during` runs while a new URL is imported. */
  const loader = (during: () => void) => {
    const kept = new Map<string, Promise<{ text: string }>>();
    const read = (): { text: string } => {
      during();
      const text = readFileSync(file, "utf8");
      if (text === "half") throw new SyntaxError(text);
      return { text };
    };
    return (url: string): Promise<{ text: string }> => {
      const found =
        kept.get(url) ??
        new Promise((resolve) => {
          resolve(read());
        });
      kept.set(url, found);
      return found;
    };
  };

  it.each(["two", "half"])(
    "never takes a text for another one that it became meanwhile: %s",
    async (text) => {
      const changes = [text, "three"];
      const load = loader(() => {
        const next = changes.shift();
        if (next !== undefined) writeFileSync(file, next);
      });

      expect(await importModule(file, load)).toEqual({ text: "three" });
      writeFileSync(file, "one");
      expect(await importModule(file, load)).toEqual({ text: "one" });
    },
  );

  it("succeeds after a failed one, when a file that it imports has arrived", async () => {
    let isMissing = true;
    const load = loader(() => {
      if (isMissing) throw new Error("ERR_MODULE_NOT_FOUND");
    });

    await expect(importModule(file, load)).rejects.toThrow("ERR_MODULE_NOT_FOUND");
    isMissing = false;
    expect(await importModule(file, load)).toEqual({ text: "one" });
  });

  it("is refused if the text changes in each import", async () => {
    let texts = 0;
    const load = loader(() => {
      writeFileSync(file, `text ${(texts += 1)}`);
    });

    await expect(importModule(file, load)).rejects.toThrow("it changed while it was read");
  });
});

/**
 * Jest has its own module loader, so only a plain Node process shows where `zod` is found. The test compiles the schema
 * loader into the program's tree and lets it import a schema from a directory without node_modules.
 */
it("finds zod in the program's own dependencies, wherever the module is", async () => {
  const program = mkdtempSync(path.join(root, "node_modules/.stationgate-zod-"));
  const elsewhere = mkdtempSync(path.join(tmpdir(), "zod-"));
  try {
    const compile = (file: string): void => {
      const target = path.join(program, file.replace(/\.ts$/, ".js"));
      if (existsSync(target)) return;
      const { outputText } = ts.transpileModule(readFileSync(path.join(root, "src", file), "utf8"), {
        compilerOptions: {
          target: ts.ScriptTarget.ES2023,
          module: ts.ModuleKind.ESNext,
          verbatimModuleSyntax: true,
          rewriteRelativeImportExtensions: true,
        },
      });
      mkdirSync(path.dirname(target), { recursive: true });
      writeFileSync(target, outputText);
      for (const [, imported = ""] of outputText.matchAll(/from "(\.[^"]+)\.js"/g))
        compile(path.join(path.dirname(file), `${imported}.ts`));
    };
    compile("ingest/schema/zod.ts");
    writeFileSync(path.join(program, "package.json"), '{"type":"module"}');
    writeFileSync(path.join(elsewhere, "shared.mjs"), 'export { z } from "zod/v4";');
    writeFileSync(
      path.join(elsewhere, "schema.mjs"),
      'import * as zod from "zod"; import { z } from "./shared.mjs"; export default zod.object({ a: z.string() });',
    );
    const script = `
      const { loadZod } = await import(${JSON.stringify(pathToFileURL(path.join(program, "ingest/schema/zod.js")).href)});
      const declaration = { type: "zod", module: ${JSON.stringify(path.join(elsewhere, "schema.mjs"))}, export: "default" };
      const validator = await loadZod(declaration, { station: "s", limits: { maxDepth: 9 } });
      process.stdout.write(validator.validate(Buffer.from('{"a":1}')).error.message);
    `;
    const { stdout } = await promisify(execFile)(process.execPath, ["--input-type=module", "-e", script]);
    expect(stdout).toBe(
      "Schema validation has failed: zod: a: Invalid input: expected string, received number",
    );
  } finally {
    rmSync(program, { recursive: true });
    rmSync(elsewhere, { recursive: true });
  }
});
