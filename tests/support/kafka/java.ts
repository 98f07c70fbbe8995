/** Runs Java programs of one source file with Kafka's own jars. */
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { kafkaClassPath } from "./jars.ts";

const run = promisify(execFile);

/** The reason why Java programs cannot run; undefined: they can. */
export const whatJavaProgramsLack = async (): Promise<string | undefined> => {
  const { stdout } = await run("java", ["--list-modules"]).catch(() => ({ stdout: "" }));
  return stdout.includes("jdk.compiler") ? undefined : "Java is here without its compiler";
};

/** Runs a program. Resolves with its output. */
export const runJava = async (source: string, args: readonly string[]): Promise<string> => {
  const java = ["-Xmx256m", "-XX:TieredStopAtLevel=1", "-cp", await kafkaClassPath(), source, ...args];
  const { stdout } = await run("java", java, { maxBuffer: 64 << 20 });
  return stdout;
};
