/** The README is run: its commands, in their order, against the program that its own start commands start. */
import { execFile, spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { cp, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { promisify } from "node:util";
import { freePort } from "../support/free-port.ts";

const run = promisify(execFile);

interface Block {
  readonly kind: string;
  readonly script: string;
}

const blocksOf = (text: string): readonly Block[] =>
  [...text.matchAll(/^```sh ?(\w*)\n(.*?)^```/gms)].map(([, kind = "", script = ""]) => ({ kind, script }));

/** What the commands of a block are promised to print: each line begins with one of these, in order. */
const promises = (script: string): readonly string[] =>
  [...script.matchAll(/^#> (.*)$/gm)].map(([, promise = ""]) => promise);

describe("README.md", () => {
  let directory: string;
  let gateway: ChildProcess;
  let ports: { public: number; admin: number };
  let blocks: readonly Block[];

  beforeAll(async () => {
    blocks = blocksOf(await readFile("README.md", "utf8"));
    directory = await mkdtemp(path.join(tmpdir(), "stationgate-readme-"));
    for (const part of ["dist", "schemas", "proto", "package.json"]) {
      await cp(part, path.join(directory, part), { recursive: true });
    }
    await run("ln", ["-s", path.resolve("node_modules"), path.join(directory, "node_modules")]);
    // One process serves every command of the page: the settings of all starts together.
    const starts = blocks.filter(({ kind }) => kind === "start");
    const settings = starts.map(({ script }) => script.replace(/(npm ci && )?npm start\s*$/, ""));
    const command = `${settings.join("")}exec node dist/main.js`;
    gateway = spawn("bash", ["-c", command], {
      cwd: directory,
      env: { PATH: process.env["PATH"], STATIONGATE_SERVER_PORT: "0", STATIONGATE_ADMIN_PORT: "0" },
      stdio: ["ignore", "pipe", "inherit"],
    });
    ports = await new Promise((resolve) => {
      let output = "";
      gateway.stdout?.on("data", (chunk: Buffer) => {
        output += chunk.toString();
        const port = (listener: string): number =>
          Number(new RegExp(`"listener":"${listener}".*?"port":(\\d+)`).exec(output)?.[1] ?? 0);
        if (port("public") > 0 && port("admin") > 0)
          resolve({ public: port("public"), admin: port("admin") });
      });
    });
  }, 60_000);

  afterAll(async () => {
    const ended = once(gateway, "exit");
    gateway.kill("SIGTERM");
    await ended;
    await rm(directory, { recursive: true, force: true });
  });

  it("prints what it promises", async () => {
    const script = blocks
      .filter(({ kind }) => kind === "")
      .map(({ script: commands }) => commands)
      .join("\necho\n");
    const here = script
      .replaceAll("localhost:4444", `localhost:${ports.public}`)
      .replaceAll("localhost:4445", `localhost:${ports.admin}`)
      .replaceAll("9000", String(await freePort()))
      // In the temporary folder the program is built already.
      .replaceAll("npm run --silent hash-secret", "node dist/auth/hash-secret.js");
    const separated = here.replaceAll(/^#> /gm, "echo #> ");
    const { stdout } = await run("bash", ["-e", "-c", separated], { cwd: directory });
    const lines = stdout.split("\n").filter((line) => line !== "");
    const expected = promises(here);
    expect(lines.map((line, index) => line.slice(0, expected[index]?.length))).toEqual(expected);
  }, 60_000);

  it("names only files that exist", async () => {
    const text = await readFile("README.md", "utf8");
    const links = [...text.matchAll(/\]\(([^)#:]+)\)/g)].map(([, link = ""]) => link);
    await Promise.all(links.map((link) => readFile(link)));
    expect(links.length).toBeGreaterThan(3);
  });
});
