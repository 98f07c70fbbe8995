/** Runs a page: its commands, in their order, against the gateway that its own start commands start. */
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { freePort } from "../free-port.ts";
import { commandsOf, filesOf, promisesOf, type Fence, type Page } from "./blocks.ts";

/** What a block promised, and what it printed: as much of each line as was promised. */
export interface BlockRun {
  readonly line: number;
  readonly promised: readonly string[];
  readonly printed: readonly string[];
}

/** What the commands of a page find beside them. */
const REPOSITORY = [
  "dist",
  "examples",
  "node_modules",
  "package.json",
  "proto",
  "schemas",
  "stationgate.example.yaml",
];

interface Ports {
  readonly public: number;
  readonly admin: number;
}

const HERE = "(?:localhost|127\\.0\\.0\\.1)";

/** What a page's addresses stand for in this run. */
interface Surroundings {
  readonly kafka: string | undefined;
  /** Of the endpoint that pages have on 9000. */
  readonly endpoint: number;
}

type Translate = (text: string) => string;

const NOWHERE: Ports = { public: 0, admin: 0 };

/** Puts this run's addresses in the place of the page's. */
const translation = ({ kafka, endpoint }: Surroundings, ports: Ports = NOWHERE): Translate => {
  const replacements: readonly (readonly [RegExp, string])[] = [
    [new RegExp(`${HERE}:4444`, "g"), `127.0.0.1:${ports.public}`],
    [new RegExp(`${HERE}:4445`, "g"), `127.0.0.1:${ports.admin}`],
    [new RegExp(`${HERE}:9092`, "g"), kafka ?? "127.0.0.1:1"],
    [/\b9000\b/g, String(endpoint)],
    // In the temporary folder the program is built already.
    [/npm run (?:--silent|-s) hash-secret/g, "npx stationgate hash-secret"],
    [/npx stationgate\b/g, "node dist/cli/main.js"],
  ];
  return (text) => replacements.reduce((rest, [what, by]) => rest.replaceAll(what, by), text);
};

const START = /(?:npm ci && )?(?:npm start|node dist\/main\.js(.*?))(?: &)?\s*$/;

/** One process serves the whole page: with the settings of all its starts, and the arguments of the last. */
const startCommand = (starts: readonly Fence[]): string => {
  const settings = starts.map(({ text }) => text.replace(START, "")).join("");
  const [, args = ""] = START.exec(starts.at(-1)?.text ?? "") ?? [];
  return `${settings}exec node dist/main.js${args}`;
};

/** A process group of its own: what a page leaves running ends with it. */
const bash = (script: string, cwd: string, { public: clients, admin }: Ports = NOWHERE): ChildProcess =>
  spawn("bash", ["-e", "-o", "pipefail", "-c", script], {
    cwd,
    detached: true,
    env: {
      PATH: process.env["PATH"],
      HOME: process.env["HOME"],
      STATIONGATE_SERVER_PORT: "0",
      STATIONGATE_ADMIN_PORT: "0",
      STATIONGATE_URL: `http://127.0.0.1:${clients}`,
      STATIONGATE_ADMIN_URL: `http://127.0.0.1:${admin}`,
    },
    stdio: ["ignore", "pipe", "pipe"],
  });

/** Everything that it prints, on both streams, told piece by piece. */
const outputOf = (child: ChildProcess, told: (output: string) => void = () => undefined): (() => string) => {
  let output = "";
  for (const stream of [child.stdout, child.stderr])
    stream?.on("data", (chunk: Buffer) => {
      output += chunk.toString();
      told(output);
    });
  return () => output;
};

const portIn = (output: string, listener: string): number =>
  Number(new RegExp(`"listener":"${listener}".*?"port":(\\d+)`).exec(output)?.[1] ?? 0);

const untilListening = (gateway: ChildProcess): Promise<Ports> =>
  new Promise((resolve, reject) => {
    const output = outputOf(gateway, (text) => {
      const ports = { public: portIn(text, "public"), admin: portIn(text, "admin") };
      if (ports.public > 0 && ports.admin > 0) resolve(ports);
    });
    gateway.once("exit", (code) => {
      reject(new Error(`the gateway of the page ended with ${String(code)}:\n${output()}`));
    });
  });

const endGroup = (child: ChildProcess): void => {
  try {
    process.kill(-(child.pid ?? 0), "SIGKILL");
  } catch {
    // All of it has ended.
  }
};

const end = async (gateway: ChildProcess): Promise<void> => {
  if (gateway.exitCode !== null) return;
  const ended = once(gateway, "exit");
  gateway.kill("SIGTERM");
  await ended;
};

const MARK = "@@block";

/** Milliseconds for all commands of a page: one that hangs is ended with all that it has started. */
const PATIENCE = 40_000;

/** The blocks as one script, so that what one sets the next has; a mark tells where each begins. */
const scriptOf = (blocks: readonly Fence[]): string =>
  blocks
    .map(({ text, line }) => `echo; echo '${MARK} ${line}'\n${text.replaceAll(/^#> .*$/gm, "echo")}`)
    .join("\n");

const printedIn = (output: string, { line, ...block }: Fence, translate: Translate): BlockRun => {
  const [, rest = ""] = output.split(`${MARK} ${line}\n`);
  const lines = (rest.split(MARK)[0] ?? "").split("\n").filter((text) => text !== "");
  const promised = promisesOf({ ...block, line }).map(translate);
  // Who promises nothing may print anything.
  const printed = promised.length === 0 ? [] : lines;
  return { line, promised, printed: printed.map((text, index) => text.slice(0, promised[index]?.length)) };
};

const runBlocks = async (
  blocks: readonly Fence[],
  cwd: string,
  ports: Ports,
  translate: Translate,
): Promise<BlockRun[]> => {
  const shell = bash(translate(scriptOf(blocks)), cwd, ports);
  const printed: Buffer[] = [];
  shell.stdout?.on("data", (chunk: Buffer) => printed.push(chunk));
  const all = outputOf(shell);
  const tooLate = setTimeout(endGroup, PATIENCE, shell);
  const [code] = (await once(shell, "exit")) as [number | null];
  clearTimeout(tooLate);
  endGroup(shell);
  if (code !== 0) throw new Error(`a command of the page ended with ${String(code)}:\n${all()}`);
  const output = Buffer.concat(printed).toString();
  return blocks.map((block) => printedIn(output, block, translate));
};

const prepare = async (page: Page, translate: Translate): Promise<string> => {
  const directory = await mkdtemp(path.join(tmpdir(), "stationgate-page-"));
  await Promise.all(REPOSITORY.map((name) => symlink(path.resolve(name), path.join(directory, name))));
  await Promise.all(
    filesOf(page).map(({ word, text }) => writeFile(path.join(directory, word), translate(text))),
  );
  return directory;
};

/** Runs the page in a directory and on ports of its own. Rejects where a command fails. */
export const runPage = async (page: Page, kafka?: string): Promise<readonly BlockRun[]> => {
  const surroundings = { kafka, endpoint: await freePort() };
  const early = translation(surroundings);
  const directory = await prepare(page, early);
  const starts = commandsOf(page, "start");
  const gateway = starts.length === 0 ? undefined : bash(early(startCommand(starts)), directory);
  try {
    const ports = gateway === undefined ? NOWHERE : await untilListening(gateway);
    return await runBlocks(commandsOf(page, ""), directory, ports, translation(surroundings, ports));
  } finally {
    if (gateway !== undefined) await end(gateway);
    await rm(directory, { recursive: true, force: true });
  }
};
