/** Runs `stationgate …` as a child process. */
import { spawn, type ChildProcessWithoutNullStreams } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import type { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { ADMIN_TOKEN, ROOT, startGateway, type Gateway, type GatewayOptions } from "./gateway.ts";

export const CLI = path.resolve("dist/cli/main.js");

export interface Ended {
  /** null: a signal ended it. */
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunningCli {
  readonly child: ChildProcessWithoutNullStreams;
  readonly ended: Promise<Ended>;
  /** Resolves when stderr contains this text. */
  readonly said: (words: string) => Promise<void>;
  /** Resolves when stdout has this number of lines. */
  readonly printed: (count: number) => Promise<void>;
}

export type CliEnvironment = Readonly<Record<string, string>>;

/** The environment for commands that call this gateway as the account `root` and as operator. */
export const environmentFor = (gateway: Gateway): CliEnvironment => ({
  STATIONGATE_URL: gateway.url,
  STATIONGATE_ADMIN_URL: gateway.adminUrl,
  STATIONGATE_ADMIN_TOKEN: ADMIN_TOKEN,
  STATIONGATE_USERNAME: ROOT.username,
  STATIONGATE_CONNECTION_TOKEN: ROOT.connection_token,
});

/** Collects the text of a stream, and waits for a part of it. */
const listen = (child: ChildProcessWithoutNullStreams, stream: Readable) => {
  let heard = "";
  stream.on("data", (chunk: Buffer) => {
    heard += chunk.toString();
  });
  return (isEnough: (text: string) => boolean): Promise<void> =>
    new Promise((resolve, reject) => {
      const look = (): void => {
        if (isEnough(heard)) resolve();
      };
      look();
      stream.on("data", look);
      child.once("close", () => {
        reject(new Error(`it ended too early, having said: ${heard}`));
      });
    });
};

export const startCli = (args: readonly string[], env: CliEnvironment = {}, cwd = "."): RunningCli => {
  const child = spawn(process.execPath, [CLI, ...args], {
    cwd,
    env: { PATH: process.env["PATH"] ?? "", ...env },
  });
  // A command can end without reading its input.
  child.stdin.on("error", () => undefined);
  const stderrUntil = listen(child, child.stderr);
  const stdoutUntil = listen(child, child.stdout);
  const ended = Promise.all([once(child, "close"), text(child.stdout), text(child.stderr)]).then(
    ([[code], stdout, stderr]) => ({ code: code as number | null, stdout, stderr }),
  );
  return {
    child,
    ended,
    said: (words) => stderrUntil((heard) => heard.includes(words)),
    printed: (count) => stdoutUntil((heard) => heard.split("\n").length > count),
  };
};

/** Runs a command to its end; `input` is its standard input. */
export const runCli = (args: readonly string[], env?: CliEnvironment, input = ""): Promise<Ended> => {
  const { child, ended } = startCli(args, env);
  child.stdin.end(input);
  return ended;
};

export const lines = (text: string): readonly string[] => text.split("\n").filter((line) => line !== "");

/** A directory for the input of commands. `write` writes a file into it and returns its path. */
export interface CliDirectory {
  readonly directory: string;
  readonly file: (name: string, content: string) => Promise<string>;
  /** Removes it. */
  readonly [Symbol.asyncDispose]: () => Promise<void>;
}

export const makeCliDirectory = async (): Promise<CliDirectory> => {
  const directory = await mkdtemp(path.join(tmpdir(), "stationgate-cli-"));
  return {
    directory,
    file: async (name, content) => {
      const at = path.join(directory, name);
      await writeFile(at, content);
      return at;
    },
    [Symbol.asyncDispose]: () => rm(directory, { recursive: true, force: true }),
  };
};

/** A directory as above, a gateway, and the environment for commands that call the gateway. */
export interface CliGateway extends CliDirectory {
  readonly gateway: Gateway;
  readonly env: CliEnvironment;
}

export const startCliGateway = async (options?: GatewayOptions): Promise<CliGateway> => {
  const [made, gateway] = await Promise.all([makeCliDirectory(), startGateway(options)]);
  return {
    ...made,
    gateway,
    env: environmentFor(gateway),
    [Symbol.asyncDispose]: async () => {
      await gateway[Symbol.asyncDispose]();
      await made[Symbol.asyncDispose]();
    },
  };
};
