/** The real program as a child process with its own settings, ports and directory. */
import { spawn, type ChildProcess } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import type { Readable } from "node:stream";
import { stringify } from "yaml";

export const ADMIN_TOKEN = "admin-token-of-the-tests-000000000";
export const ROOT = { username: "root", connection_token: "root-connection-token-of-the-tests" };

export interface Gateway {
  readonly url: string;
  readonly adminUrl: string;
  readonly pid: number;
  readonly directory: string;
  /** The output so far, of both streams. */
  output(): string;
  /** Stops reading its standard output. */
  pauseOutput(): void;
  /** Sends the signal and resolves with the exit code (null: ended by the signal). */
  stop(signal?: NodeJS.Signals): Promise<number | null>;
  /** Starts the same program again on the same directory and ports. */
  restart(): Promise<Gateway>;
  /** Ends the program if it runs, and removes its directory. */
  [Symbol.asyncDispose](): Promise<void>;
}

export interface GatewayOptions {
  /** Merged over the test's defaults, one level deep. */
  readonly settings?: Record<string, unknown>;
  readonly env?: Record<string, string>;
  /** Options of node, such as `--max-old-space-size=320`. */
  readonly nodeFlags?: readonly string[];
  readonly directory?: string;
  readonly stdout?: StandardOutput;
}

/** A destination of the program's output other than a pipe of node, and its text. */
export interface StandardOutput {
  readonly fd: number;
  readonly arriving: Readable;
}

const READERS_TOPIC = `_stationgate-readers-${randomUUID()}`;
const ONCE_TOPIC = `_stationgate-once-${randomUUID()}`;
/** The group of the gateways in Kafka. A gateway joins it in the background. */
export const READERS_GROUP = READERS_TOPIC.slice(1);

const main = path.resolve("dist/main.js");

/** Environment variables for every gateway of a run: a JSON object. CONTRIBUTING.md has an example. */
const ENV_OF_RUN = JSON.parse(process.env["TEST_GATEWAY_ENV"] ?? "{}") as Record<string, string>;

const defaults = (): Record<string, unknown> => ({
  server: { host: "127.0.0.1", port: 0 },
  admin: { host: "127.0.0.1", port: 0, token: ADMIN_TOKEN },
  broker: { type: "embedded", embedded: { dir: "./data" } },
  auth: {
    accessToken: { secret: "access-secret-of-the-tests-0123456789abcdef" },
    refreshToken: { secret: "refresh-secret-of-the-tests-0123456789abcdef" },
    accounts: [
      {
        username: ROOT.username,
        connectionToken: ROOT.connection_token,
        stations: ["*"],
        consume: ["*"],
        groups: ["*"],
      },
    ],
  },
  autoCreateStations: true,
  // All test files share one Kafka, and a gateway of another file may be killed or frozen.
  reading: { topic: READERS_TOPIC },
  once: { topic: ONCE_TOPIC },
});

/** The ports of both listeners, from the log lines of the program. */
const listening = (output: string): { public: number; admin: number } | undefined => {
  const port = (listener: string): number | undefined => {
    const line = output.split("\n").find((text) => text.includes(`"listener":"${listener}"`));
    return line === undefined ? undefined : (JSON.parse(line) as { port: number }).port;
  };
  const found = { public: port("public"), admin: port("admin") };
  return found.public === undefined || found.admin === undefined
    ? undefined
    : { public: found.public, admin: found.admin };
};

const untilListening = (
  child: ChildProcess,
  stdout: Readable,
  output: () => string,
): Promise<{ public: number; admin: number }> =>
  new Promise((resolve, reject) => {
    const look = (): void => {
      const ports = listening(output());
      if (ports !== undefined) resolve(ports);
    };
    stdout.on("data", look);
    child.once("exit", (code) => {
      reject(new Error(`the gateway ended with ${String(code)} before it listened:\n${output()}`));
    });
  });

/** Writes the settings and starts `dist/main.js`. Resolves when both listeners are bound. */
export const startGateway = async (options: GatewayOptions = {}): Promise<Gateway> => {
  const directory = options.directory ?? (await mkdtemp(path.join(tmpdir(), "stationgate-")));
  const config = path.join(directory, "stationgate.yaml");
  const settings = { ...defaults(), ...options.settings };
  await writeFile(config, stringify(settings));
  const { env = {}, nodeFlags = [], stdout } = options;
  return launch({ directory, config, settings, env, nodeFlags, stdout });
};

interface Launch {
  readonly directory: string;
  readonly config: string;
  readonly settings: Record<string, unknown>;
  readonly env: Record<string, string>;
  readonly nodeFlags: readonly string[];
  readonly stdout: StandardOutput | undefined;
}

const launch = async (start: Launch): Promise<Gateway> => {
  const child = spawn(process.execPath, [...start.nodeFlags, main, "--config", start.config], {
    cwd: start.directory,
    env: { PATH: process.env["PATH"] ?? "", ...ENV_OF_RUN, ...start.env },
    stdio: ["ignore", start.stdout?.fd ?? "pipe", "pipe"],
  });
  const stdout = start.stdout?.arriving ?? child.stdout;
  if (stdout === null) throw new TypeError("the program has no standard output");
  const chunks: string[] = [];
  const keep = (chunk: Buffer): void => void chunks.push(chunk.toString());
  stdout.on("data", keep);
  child.stderr?.on("data", keep);
  const output = (): string => chunks.join("");
  const ports = await untilListening(child, stdout, output);

  const stop = async (signal: NodeJS.Signals = "SIGTERM"): Promise<number | null> => {
    if (child.exitCode !== null || child.signalCode !== null) return child.exitCode;
    const exited = once(child, "exit") as Promise<[number | null]>;
    child.kill(signal);
    return (await exited)[0];
  };
  return {
    url: `http://127.0.0.1:${ports.public}`,
    adminUrl: `http://127.0.0.1:${ports.admin}`,
    pid: child.pid ?? 0,
    directory: start.directory,
    output,
    pauseOutput: () => {
      stdout.pause();
    },
    stop,
    restart: async () => {
      const settings = {
        ...start.settings,
        server: { ...(start.settings["server"] as object), port: ports.public },
        admin: { ...(start.settings["admin"] as object), port: ports.admin },
      };
      await writeFile(start.config, stringify(settings));
      return launch({ ...start, settings });
    },
    [Symbol.asyncDispose]: async () => {
      await stop("SIGKILL");
      await rm(start.directory, { recursive: true, force: true });
    },
  };
};

/** Signs in the account `root` of the test settings. */
export const signIn = async (gateway: Gateway, credentials: object = ROOT): Promise<string> => {
  const answer = await fetch(`${gateway.url}/auth/authenticate`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(credentials),
  });
  if (answer.status !== 200) throw new Error(`sign-in was answered ${answer.status}: ${await answer.text()}`);
  return ((await answer.json()) as { jwt: string }).jwt;
};
