/** Failing starts of the real program. One line gives the reason, at the start and with --check-config. */
import { execFile } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { stringify } from "yaml";
import { runCli } from "../support/cli.ts";
import { startGateway } from "../support/gateway.ts";

const TIMEOUT = 60_000;

interface End {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

describe("a failing start", () => {
  let directory: string;
  beforeAll(async () => {
    directory = await mkdtemp(path.join(tmpdir(), "stationgate-start-"));
    await writeFile(path.join(directory, "file"), "");
    await writeFile(path.join(directory, "event.json"), '{ "type": "no such type" }');
    await writeFile(
      path.join(directory, "broken.pem"),
      "-----BEGIN CERTIFICATE-----\nno\n-----END CERTIFICATE-----\n",
    );
  });
  afterAll(() => rm(directory, { recursive: true }));

  const run = async (settings: object | undefined, args: readonly string[] = [], env = {}): Promise<End> => {
    const file = path.join(directory, "stationgate.yaml");
    if (settings !== undefined)
      await writeFile(file, stringify({ server: { port: 0 }, admin: { port: 0, token: "x" }, ...settings }));
    const config = settings === undefined ? [] : ["--config", file];
    return new Promise((resolve) => {
      execFile(
        process.execPath,
        [path.resolve("dist/main.js"), ...config, ...args],
        { cwd: directory, env: { PATH: process.env["PATH"], ...env }, timeout: 30_000 },
        (error, stdout, stderr) => {
          resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr });
        },
      );
    });
  };
  const embedded = (dir: string) => ({ broker: { type: "embedded", embedded: { dir } } });

  it.each(["file", "file/data", "/proc/stationgate/data", "/dev/null/data"])(
    "names the data folder %s that can't be created",
    async (dir) => {
      const folder = path.resolve(directory, dir);
      const { code, stderr } = await run(embedded(dir));
      expect({ code, stderr }).toEqual({
        code: 1,
        stderr: expect.stringMatching(
          new RegExp(`^broker\\.embedded\\.dir: ${folder} cannot be created \\(E[A-Z]+\\)\n$`),
        ) as string,
      });
      // Without settings, the identity is written to this folder first.
      const withoutSettings = await run(undefined, [], {
        ...{
          STATIONGATE_BROKER_EMBEDDED_DIR: folder,
          STATIONGATE_SERVER_PORT: "0",
          STATIONGATE_ADMIN_PORT: "0",
        },
      });
      expect(withoutSettings.code).toBe(1);
      expect(withoutSettings.stderr).toMatch(/^\S+ cannot be (read|written) \(E[A-Z]+\)\n$/);
      expect(withoutSettings.stderr).toContain(folder);
    },
    TIMEOUT,
  );

  it(
    "names the data folder that another process uses",
    async () => {
      await using gateway = await startGateway();
      const folder = path.join(gateway.directory, "data");
      const { code, stderr } = await run(embedded(folder));
      expect({ code, stderr }).toEqual({
        code: 1,
        stderr: `broker.embedded.dir: another process uses the log in ${folder}\n`,
      });
    },
    TIMEOUT,
  );

  it(
    "names the port that is in use, also with workers",
    async () => {
      const taken = createServer().listen(0, "127.0.0.1");
      await once(taken, "listening");
      const { port } = taken.address() as AddressInfo;
      for (const more of [{}, { workers: 2 }]) {
        const { code, stderr } = await run({
          server: { host: "127.0.0.1", port, ...more },
          broker: { type: "kafka", kafka: { brokers: ["127.0.0.1:9"] } },
        });
        expect({ code, stderr }).toEqual({
          code: 1,
          stderr: `server.port: got ${port}, but another process listens on this port\n`,
        });
      }
      taken.close();
    },
    TIMEOUT,
  );

  const unusable = {
    ...embedded("data"),
    auth: {
      accessToken: { secret: "access-secret-of-the-tests-0123456789abcdef" },
      refreshToken: { secret: "refresh-secret-of-the-tests-0123456789abcdef" },
      accounts: [{ username: "ann", password: "$2b$10$abcdefghijklmnopqrstuv" }],
      apiKeys: [{ id: "partner", key: "$argon2id$v=19$x" }],
    },
    stations: [{ name: "orders", schema: { type: "json-schema", file: "event.json" } }],
    connectors: [{ name: "crm", config: { topics: "orders" } }],
  };
  const LINES = [
    /^auth\.accounts\.ann: /m,
    /^auth\.apiKeys\.partner: /m,
    /^connectors\.crm: /m,
    /orders.*event\.json/m,
  ];

  it(
    "prints the lines of --check-config, and --print-config still prints the settings",
    async () => {
      const start = await run(unusable);
      const check = await run(unusable, ["--check-config"]);
      expect(start.code).toBe(1);
      expect(check.code).toBe(1);
      expect(check.stderr).toBe(start.stderr);
      for (const line of LINES) expect(start.stderr).toMatch(line);
      expect(start.stderr).not.toMatch(/abcdefghij|v=19/);

      const print = await run(unusable, ["--print-config"]);
      expect(print).toMatchObject({ code: 0, stderr: "" });
    },
    TIMEOUT,
  );

  it(
    "prints faults of certificates and of all other settings, also with stationgate check-config",
    async () => {
      const tls = { cert: "broken.pem", key: "broken.pem" };
      const settings = { ...unusable, server: { port: 0, tls } };
      const start = await run(settings);
      expect(start.code).toBe(1);
      for (const line of [/^server\.tls\.cert: /m, ...LINES]) expect(start.stderr).toMatch(line);
      expect(await run(settings, ["--check-config"])).toMatchObject({ code: 1, stderr: start.stderr });
      const { code, stdout } = await runCli(["check-config", path.join(directory, "stationgate.yaml")]);
      expect({ code, stderr: stdout }).toEqual({ code: 1, stderr: start.stderr });
    },
    TIMEOUT,
  );

  it(
    "refuses an invalid webhook secret with the message of --check-config",
    async () => {
      const settings = {
        ...embedded("data"),
        webhooks: [
          { source: "tests", station: "orders", scheme: "standard-webhooks", secrets: ["whsec_%%%"] },
        ],
      };
      const start = await run(settings);
      const check = await run(settings, ["--check-config"]);
      expect(start).toMatchObject({ code: 1, stderr: expect.stringContaining("of source tests") as string });
      expect(check).toEqual({ ...start, stdout: check.stdout });
    },
    TIMEOUT,
  );

  it(
    "doesn't reveal credentials of connectors in --print-config",
    async () => {
      const url = "https://user:hush1@crm.example/a?api_key=hush2&page=3";
      const config = {
        ...{ topics: "orders", "callback.request.url": url, "callback.request.method": "POST" },
        ...{ secret: "whsec_aHVzaDM=", "sasl.jaas.config": "hush4", "ssl.key.password": "hush5" },
        "callback.request.headers": "Authorization:hush6",
        "proxy.url": "http://proxy.example/?token=hush7",
      };
      const { code, stdout } = await run(
        {
          ...embedded("data"),
          connectors: [{ name: "crm", config }],
          eventService: { callback_api: { base_url: "https://anchor.example/?api_key=hush8" } },
        },
        ["--print-config"],
      );
      expect(code).toBe(0);
      expect(stdout).not.toMatch(/hush|aHVzaDM/);
      expect(stdout).toContain("page=3");
      expect(stdout).toContain("topics: orders");
    },
    TIMEOUT,
  );

  it(
    "names an invalid certificate",
    async () => {
      const settings = {
        broker: {
          type: "kafka",
          kafka: { brokers: ["127.0.0.1:9"], ssl: { cert: "broken.pem", key: "broken.pem" } },
        },
      };
      const start = await run(settings);
      expect(start.code).toBe(1);
      expect(start.stderr).toMatch(/^broker\.kafka\.ssl: [^\n]+\n$/);
      const check = await run(settings, ["--check-config"]);
      expect(check.stderr.replaceAll(/^warning: .*\n/gm, "")).toBe(start.stderr);
      const worker = await run({ ...settings, server: { port: 0, workers: 2 } });
      expect({ code: worker.code, stderr: worker.stderr }).toEqual({ code: 1, stderr: start.stderr });
    },
    TIMEOUT,
  );
});
