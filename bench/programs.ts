/**
 * Starts the helper programs. Each is a separate process, so that it does not use the CPU time of the process that
 * measures.
 */
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";

export interface Running {
  readonly pid: number;
  /** The first line of the output, parsed as JSON. */
  readonly said: unknown;
  stop(): Promise<void>;
}

/** The folder of the compiled helpers and of the compiled `main.ts`. */
const here = import.meta.dirname;

export const helper = (name: string, args: readonly string[]): readonly string[] => [
  process.execPath,
  join(here, `${name}.js`),
  ...args,
];

const firstLine = async (child: ChildProcess): Promise<unknown> => {
  if (child.stdout === null) throw new TypeError("A helper needs a standard output");
  for await (const line of createInterface({ input: child.stdout })) return JSON.parse(line) as unknown;
  throw new Error(`${child.spawnargs.join(" ")} ended without output`);
};

/** Starts a program that prints one line of JSON when it is ready, and runs until it is stopped. */
export const start = async ([command = "", ...args]: readonly string[]): Promise<Running> => {
  const child = spawn(command, args, { stdio: ["ignore", "pipe", "inherit"] });
  const said = await firstLine(child);
  return {
    pid: child.pid ?? 0,
    said,
    stop: async () => {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const exited = once(child, "exit");
      child.kill("SIGKILL");
      await exited;
    },
  };
};

/** Runs a program to its end. Resolves with its output. */
export const output = async (
  [command = "", ...args]: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<string> => {
  const child = spawn(command, args, { stdio: ["ignore", "pipe", "pipe"], env: { ...process.env, ...env } });
  const printed: Buffer[] = [];
  const errors: Buffer[] = [];
  child.stdout.on("data", (chunk: Buffer) => printed.push(chunk));
  child.stderr.on("data", (chunk: Buffer) => errors.push(chunk));
  const [code] = (await once(child, "close")) as [number | null];
  if (code !== 0) throw new Error(`${command} ended with ${String(code)}: ${String(Buffer.concat(errors))}`);
  return Buffer.concat(printed).toString();
};

/** The last line of an output, parsed as JSON. */
export const lastLine = (text: string): unknown => JSON.parse(text.trimEnd().split("\n").at(-1) ?? "");
