/** Runs the embedded broker in a child process that a test can kill or limit. */
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";
import ts from "typescript";

const CACHE = path.join("node_modules", ".cache");
const OPTIONS: ts.CompilerOptions = {
  target: ts.ScriptTarget.ES2023,
  module: ts.ModuleKind.ESNext,
  rewriteRelativeImportExtensions: true,
};

const sourcesIn = async (folder: string): Promise<readonly string[]> => {
  const files = await readdir(path.join("src", folder), { recursive: true });
  return files.filter((file) => file.endsWith(".ts")).map((file) => path.join(folder, file));
};

/**
 * Compiles the broker and the files that it imports, because Node 20 doesn't run TypeScript. The output is in the project,
 * so that it finds the packages.
 */
const compile = async (directory: string): Promise<string> => {
  const sources = [...(await sourcesIn("broker")), ...(await sourcesIn("lib"))];
  for (const source of [...sources, "errors.ts"]) {
    const target = path.join(directory, source.replace(/ts$/, "js"));
    const text = await readFile(path.join("src", source), "utf8");
    await mkdir(path.dirname(target), { recursive: true });
    await writeFile(target, ts.transpileModule(text, { compilerOptions: OPTIONS }).outputText);
  }
  await writeFile(path.join(directory, "package.json"), '{"type":"module"}');
  return pathToFileURL(path.resolve(directory, "broker/embedded/embedded-broker.js")).href;
};

interface Child {
  /** Lines of its standard output so far. */
  readonly lines: readonly string[];
  /** Resolves once the child has printed `count` lines or has ended. */
  lineCount(count: number): Promise<void>;
  /** Resolves once the child has printed `count` lines with this beginning or has ended. */
  printed(beginning: string, count: number): Promise<void>;
  /** Resolves with the exit code. null: the child was killed. */
  ended(): Promise<number | null>;
  kill(): Promise<void>;
}

export interface Children {
  /**
   * Runs a module body, which can use `createEmbeddedBroker`, `say` (prints a line at once) and `dir`.
   * `fileLimit`: maximum size in KiB of a file that the child writes. `env`: added to its environment.
   */
  start(
    body: string,
    options: { dir: string; fileLimit?: number; env?: Readonly<Record<string, string>> },
  ): Child;
  /** Kills the running children and removes the compiled files. */
  remove(): Promise<void>;
}

const watch = (child: ChildProcess): Child => {
  const lines: string[] = [];
  const exit = once(child, "close") as Promise<[number | null]>;
  const checks = new Set<() => void>();
  if (child.stdout !== null) {
    createInterface(child.stdout).on("line", (line) => {
      lines.push(line);
      checks.forEach((check) => {
        check();
      });
    });
  }
  const ended = async (): Promise<number | null> => (await exit)[0];
  const until = (holds: () => boolean): Promise<void> =>
    new Promise((resolve) => {
      const check = (): void => {
        if (!holds()) return;
        checks.delete(check);
        resolve();
      };
      checks.add(check);
      check();
      void exit.then(() => {
        resolve();
      });
    });
  return {
    lines,
    ended,
    lineCount: (count) => until(() => lines.length >= count),
    printed: (beginning, count) =>
      until(() => lines.filter((line) => line.startsWith(beginning)).length >= count),
    kill: async () => {
      child.kill("SIGKILL");
      await exit;
    },
  };
};

/** Compiles the code that the children import. */
export const prepareChildren = async (): Promise<Children> => {
  await mkdir(CACHE, { recursive: true });
  const directory = await mkdtemp(path.join(CACHE, "stationgate-broker-"));
  const url = await compile(directory);
  const started: Child[] = [];

  return {
    start: (body, { dir, fileLimit, env }) => {
      const script = [
        `import { writeSync } from "node:fs";`,
        `import { createEmbeddedBroker } from ${JSON.stringify(url)};`,
        `const say = (line) => writeSync(1, line + "\\n");`,
        `const dir = ${JSON.stringify(dir)};`,
        body,
      ].join("\n");
      const limit = fileLimit === undefined ? "unlimited" : String(fileLimit);
      const child = watch(
        spawn(
          "bash",
          [
            "-c",
            `ulimit -f ${limit}; exec "$@"`,
            "bash",
            process.execPath,
            "--input-type=module",
            "-e",
            script,
          ],
          { stdio: ["ignore", "pipe", "ignore"], env: { ...process.env, ...env } },
        ),
      );
      started.push(child);
      return child;
    },
    remove: async () => {
      await Promise.all(started.map((child) => child.kill()));
      await rm(directory, { recursive: true });
    },
  };
};
