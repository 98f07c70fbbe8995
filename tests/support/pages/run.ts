/** Runs the commands of a page in order, against the gateway of its start commands. */
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { freePort } from "../free-port.ts";
import { commandsOf, filesOf, promisesOf, type Fence, type Page } from "./blocks.ts";

/** The promised and the printed lines of a block. A printed line is cut to the length of the promise. */
export interface BlockRun {
  readonly line: number;
  readonly promised: readonly string[];
  readonly printed: readonly string[];
}

/** Files and folders of the repository that are linked into the directory of a page. */
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

/** `host:port` of the servers that a page needs. */
interface Servers {
  readonly kafka?: string | undefined;
  readonly registry?: string | undefined;
}

/** The addresses of this run, which replace those of the page. */
interface Surroundings extends Servers {
  /** Port of the endpoint that pages have on 9000. */
  readonly endpoint: number;
}

type Translate = (text: string) => string;

const NOWHERE: Ports = { public: 0, admin: 0 };

/** Replaces the addresses of the page with those of this run. */
const translation = ({ kafka, registry, endpoint }: Surroundings, ports: Ports = NOWHERE): Translate => {
  const replacements: readonly (readonly [RegExp, string])[] = [
    [new RegExp(`${HERE}:4444`, "g"), `127.0.0.1:${ports.public}`],
    [new RegExp(`${HERE}:4445`, "g"), `127.0.0.1:${ports.admin}`],
    [new RegExp(`${HERE}:9092`, "g"), kafka ?? "127.0.0.1:1"],
    [new RegExp(`${HERE}:8081`, "g"), registry ?? "127.0.0.1:1"],
    [/\b9000\b/g, String(endpoint)],
    // The program in the temporary folder is already built.
    [/npm run (?:--silent|-s) hash-secret/g, "npx stationgate hash-secret"],
    [/npx stationgate\b/g, "node dist/cli/main.js"],
  ];
  return (text) => replacements.reduce((rest, [what, by]) => rest.replaceAll(what, by), text);
};

const START = /(?:npm ci && )?(?:npm start|node dist\/main\.js(.*?))(?: &)?\s*$/;

/** Starts one process for the whole page, with the settings of all start blocks and the arguments of the last one. */
const startCommand = (starts: readonly Fence[]): string => {
  const settings = starts.map(({ text }) => text.replace(START, "")).join("");
  const [, args = ""] = START.exec(starts.at(-1)?.text ?? "") ?? [];
  return `${settings}exec node dist/main.js${args}`;
};

/** A new process group, so that all processes of a page can be ended together. */
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

/** Collects the output of both streams. `onOutput` gets the output so far. */
const outputOf = (
  child: ChildProcess,
  onOutput: (output: string) => void = () => undefined,
): (() => string) => {
  let output = "";
  for (const stream of [child.stdout, child.stderr])
    stream?.on("data", (chunk: Buffer) => {
      output += chunk.toString();
      onOutput(output);
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
    // The whole process group has ended.
  }
};

const end = async (gateway: ChildProcess): Promise<void> => {
  if (gateway.exitCode !== null) return;
  const ended = once(gateway, "exit");
  gateway.kill("SIGTERM");
  await ended;
};

const MARK = "@@block";

/** Maximum milliseconds for all commands of a page, against hanging. After it the process group is ended. */
const PAGE_TIMEOUT = 120_000;

/** The blocks as one script, so that variables of a block exist in the next block. A mark precedes each block. */
const scriptOf = (blocks: readonly Fence[]): string =>
  blocks
    .map(({ text, line }) => `echo; echo '${MARK} ${line}'\n${text.replaceAll(/^#> .*$/gm, "echo")}`)
    .join("\n");

const printedIn = (output: string, { line, ...block }: Fence, translate: Translate): BlockRun => {
  const [, rest = ""] = output.split(`${MARK} ${line}\n`);
  const lines = (rest.split(MARK)[0] ?? "").split("\n").filter((text) => text !== "");
  const promised = promisesOf({ ...block, line }).map(translate);
  // A block without promised lines may print anything.
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
  const tooLate = setTimeout(endGroup, PAGE_TIMEOUT, shell);
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

/** Runs the page in its own directory and on its own ports. Rejects if a command fails. */
export const runPage = async (page: Page, servers: Servers = {}): Promise<readonly BlockRun[]> => {
  const surroundings = { ...servers, endpoint: await freePort() };
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
