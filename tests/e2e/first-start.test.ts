/** The first start without settings. The printed commands work, and the second start has the same account. */
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);

const start = async (directory: string) => {
  const child = spawn(process.execPath, [path.resolve("dist/main.js")], {
    cwd: directory,
    env: { PATH: process.env["PATH"], STATIONGATE_SERVER_PORT: "0", STATIONGATE_ADMIN_PORT: "0" },
    stdio: ["ignore", "pipe", "inherit"],
  });
  const lines = await new Promise<string[]>((resolve) => {
    let output = "";
    child.stdout.on("data", (chunk: Buffer) => {
      output += chunk.toString();
      const found = output.split("\n").filter((line) => line.startsWith("curl "));
      if (found.length === 3 && output.endsWith("\n")) resolve(found);
    });
  });
  return {
    lines,
    stop: async (): Promise<unknown> => {
      const ended = once(child, "exit") as Promise<[number]>;
      child.kill("SIGTERM");
      return (await ended)[0];
    },
  };
};

describe("a first start", () => {
  let directory: string;

  beforeAll(async () => {
    directory = await mkdtemp(path.join(tmpdir(), "stationgate-first-"));
  });

  afterAll(async () => {
    await rm(directory, { recursive: true, force: true });
  });

  it("prints three commands that sign in, produce and read back, and the next start has the same account", async () => {
    const first = await start(directory);
    const paste = async (line = ""): Promise<unknown> =>
      JSON.parse((await run("bash", ["-c", line])).stdout) as unknown;
    expect(await paste(first.lines[0])).toMatchObject({ expires_in: 900_000 });
    expect(await paste(first.lines[1])).toEqual({ error: null, success: true });
    expect(await paste(first.lines[2])).toMatchObject([{ message: '{"hello":"world"}' }]);
    expect(await first.stop()).toBe(0);
    expect((await stat(path.join(directory, "data/identity.json"))).mode & 0o777).toBe(0o600);

    const second = await start(directory);
    const credentials = (line = ""): string | undefined => /-d '([^']*)'/.exec(line)?.[1];
    expect(credentials(second.lines[0])).toBe(credentials(first.lines[0]));
    expect(await second.stop()).toBe(0);
  }, 60_000);
});
