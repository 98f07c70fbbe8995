/** The machine and the versions of a run. Figures can't be compared without them. */
import { cpus, release, totalmem } from "node:os";
import { output } from "./programs.ts";

export interface Circumstances {
  readonly date: string;
  readonly commit: string;
  /** true: files differ from the commit. */
  readonly modified: boolean;
  readonly machine: Readonly<Record<string, string | number>>;
  readonly versions: Readonly<Record<string, string>>;
}

const GIB = 1024 ** 3;

const textOf = async (command: string): Promise<string> =>
  (await output(["sh", "-c", `${command} 2>&1 || true`])).trim();

export const circumstances = async (loadTool: string): Promise<Circumstances> => {
  const java = await textOf("java -version");
  return {
    date: new Date().toISOString(),
    commit: await textOf("git rev-parse --short HEAD"),
    modified: (await textOf("git status --porcelain --untracked-files=no")) !== "",
    machine: {
      cpu: cpus()[0]?.model ?? "unknown",
      cores: cpus().length,
      memoryGiB: Math.round(totalmem() / GIB),
      kernel: release(),
    },
    versions: {
      node: process.version,
      java: /"(.+)"/.exec(java)?.[1] ?? "none",
      kafka: "4.1.0",
      load: loadTool,
    },
  };
};
