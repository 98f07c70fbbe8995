/** The built command line program with a real gateway. */
import { execFile } from "node:child_process";
import { mkdtemp } from "node:fs/promises";
import path from "node:path";
import { promisify } from "node:util";
import { lines, runCli, startCli, startCliGateway, type CliGateway } from "../support/cli.ts";
import { admin, deliverySettings } from "../support/connector-api.ts";
import { ADMIN_TOKEN } from "../support/gateway.ts";
import { startHttpSink, type HttpSink } from "../support/http-sink.ts";
import { uniqueName } from "../support/kafka/describe.ts";

const run = promisify(execFile);

describe("stationgate", () => {
  let cli: CliGateway;
  let sink: HttpSink;
  let station: string;

  beforeAll(async () => {
    sink = await startHttpSink();
    cli = await startCliGateway({ settings: deliverySettings("deliveries", 1) });
  }, 60_000);

  afterAll(async () => {
    await cli[Symbol.asyncDispose]();
    await sink.close();
  });

  beforeEach(() => {
    station = uniqueName("cli");
  });

  describe("token", () => {
    it("prints a valid token, and with --json a pair with a valid refresh token", async () => {
      const token = (await runCli(["token"], cli.env)).stdout.trim();
      const used = await runCli(["produce", station, "x"], {
        STATIONGATE_URL: cli.gateway.url,
        STATIONGATE_TOKEN: token,
      });
      expect(used.code).toBe(0);

      const pair = JSON.parse((await runCli(["token", "--ttl", "30m", "--json"], cli.env)).stdout) as {
        expires_in: number;
        jwt_refresh_token: string;
      };
      expect(pair.expires_in).toBe(30 * 60_000);
      const refresh = await cli.file("refresh.jwt", `${pair.jwt_refresh_token}\n`);
      const renewed = await runCli(["token", "--refresh", "--refresh-token-file", refresh], {
        STATIONGATE_URL: cli.gateway.url,
      });
      expect(renewed.stdout).toMatch(/^ey/);
      expect(renewed.code).toBe(0);
    });

    it("prints a token with a part of the account's rights", async () => {
      const token = (
        await runCli(["token", "--station", "only-*", "--action", "produce"], cli.env)
      ).stdout.trim();
      const own = { STATIONGATE_URL: cli.gateway.url, STATIONGATE_TOKEN: token };
      expect((await runCli(["produce", "only-this", "x"], own)).code).toBe(0);
      const other = await runCli(["produce", station, "x"], own);
      expect(other.stderr).toBe(`user root is not allowed to access station ${station} (403)\n`);
      expect(other.code).toBe(4);
    });

    it("exits with 4 for a wrong credential, in whatever way it is given", async () => {
      const wrong = await cli.file("wrong", "wrong\n");
      const url = { STATIONGATE_URL: cli.gateway.url };
      const produce = ["produce", station, "x"];
      for (const args of [
        ["token", "--username", "root", "--connection-token-file", wrong],
        ["token", "--username", "root", "--password-file", wrong],
        [...produce, "--token-file", wrong],
        [...produce, "--api-key-file", wrong],
        produce,
      ]) {
        expect({ args, ...(await runCli(args, url)) }).toMatchObject({ args, code: 4, stdout: "" });
      }
    });
  });

  describe("connectors", () => {
    const definition = (name: string): object => ({
      name,
      config: {
        topics: "deliveries",
        "callback.request.url": sink.url,
        "callback.request.method": "POST",
        "success.without.flag": "success",
      },
    });

    it("creates, shows, pauses, resumes, restarts and deletes", async () => {
      const name = uniqueName("crm");
      const one = await cli.file("one.json", JSON.stringify(definition(name)));
      const runConnectors = async (...args: string[]): Promise<string> => {
        const { code, stdout, stderr } = await runCli(["connectors", ...args], cli.env);
        expect({ args, code, stderr }).toEqual({ args, code: 0, stderr: "" });
        return stdout;
      };
      expect(await runConnectors("create", one)).toBe(`${name}: created\n`);
      expect(await runConnectors("apply", one)).toBe(`${name}: changed\n`);
      expect(await runConnectors("list")).toBe(`${name}  RUNNING\n`);
      expect(await runConnectors("show", name)).toContain("topics: deliveries\n");
      await runCli(["produce", "deliveries", '{"for":"the sink"}'], cli.env);
      await sink.received(1);
      expect(await runConnectors("pause", name)).toBe(`${name}: paused\n`);
      expect(await runConnectors("status", name)).toBe(`${name}  PAUSED\n`);
      expect(await runConnectors("resume", name)).toBe(`${name}: resumed\n`);
      expect(await runConnectors("restart", name)).toBe(`${name}: restarted\n`);
      expect(JSON.parse(await runConnectors("status", name, "--json"))).toMatchObject({
        name,
        connector: { state: "RUNNING" },
      });
      expect(await runConnectors("stop", name)).toBe(`${name}: stopped\n`);
      expect(JSON.parse(await runConnectors("delete", name, "--json"))).toEqual({ name, status: "deleted" });
      expect(await runConnectors("list", "--json")).toBe("[]\n");
    });

    it("applies a list from YAML, and reports which connector is refused", async () => {
      const name = uniqueName("many");
      const many = await cli.file(
        "many.yaml",
        `- ${JSON.stringify(definition(name))}\n- {name: broken, config: {topics: deliveries}}\n`,
      );
      const { code, stdout } = await runCli(["connectors", "apply", many, "--json"], cli.env);
      expect(JSON.parse(stdout)).toMatchObject([
        { name, status: "created" },
        {
          name: "broken",
          status: "refused",
          error: expect.stringContaining("callback.request.url") as string,
        },
      ]);
      expect(code).toBe(1);
      expect((await runCli(["connectors", "delete", name], cli.env)).code).toBe(0);
    });

    it("replays all dead letters", async () => {
      const name = uniqueName("letters");
      const letters = uniqueName("given-up");
      sink.answer(() => ({ status: 500, body: '{"retry":true}' }));
      const { config } = definition(name) as { config: object };
      const one = await cli.file(
        "letters.json",
        JSON.stringify({
          name,
          config: {
            ...config,
            topics: station,
            "exception.strategy": "DROP_MESSAGE",
            "dead.letter.topic": letters,
          },
        }),
      );
      await runCli(["produce", station, "-"], cli.env, '{"n":1}\n{"n":2}\n{"n":3}\n');
      expect((await runCli(["connectors", "create", one], cli.env)).code).toBe(0);
      const view = (): Promise<unknown> => admin(cli.gateway, "GET", `/connectors/${name}/dead-letters`);
      while (((await view()) as { records: number }).records < 3);
      sink.answer(() => ({ status: 200, body: '{"retry":false}' }));
      const { code, stdout } = await runCli(["connectors", "replay", name, "--wait"], cli.env);
      expect(stdout).toBe(`3 of 3 dead letters of ${letters} were replayed\n`);
      expect(code).toBe(0);
      expect((await runCli(["connectors", "delete", name], cli.env)).code).toBe(0);
    });

    it("exits with 1 for an unknown connector, with 4 for a wrong token", async () => {
      const gone = await runCli(["connectors", "status", "gone"], cli.env);
      expect(gone).toMatchObject({ code: 1, stdout: "" });
      expect(gone.stderr).toContain("(404)");
      const wrong = { ...cli.env, STATIONGATE_ADMIN_TOKEN: `${ADMIN_TOKEN}x` };
      expect((await runCli(["connectors", "list"], wrong)).code).toBe(4);
    });
  });

  describe("without a gateway", () => {
    it("hashes a secret from standard input", async () => {
      const { code, stdout } = await runCli(["hash-secret"], {}, "a connection token\n");
      expect(stdout).toMatch(/^\$scrypt\$ln=15,r=8,p=1\$\S+\n$/);
      expect(code).toBe(0);
      expect(await runCli(["hash-secret"], {}, "\n")).toMatchObject({ code: 1, stdout: "" });
    });

    it("prints each fault of the settings on a line", async () => {
      const settings = await cli.file("bad.yaml", "servr: {}\nbroker: { type: pigeon }\n");
      const { code, stdout } = await runCli(["check-config", settings]);
      expect(lines(stdout)).toEqual([
        "servr: is unknown, did you mean server?",
        expect.stringContaining("broker.type: "),
      ]);
      expect(code).toBe(1);
      expect(JSON.parse((await runCli(["check-config", settings, "--json"])).stdout)).toMatchObject({
        valid: false,
      });

      expect(await runCli(["check-config"], { STATIONGATE_URL: "http://elsewhere.example" })).toEqual({
        code: 0,
        stdout: "The settings are valid.\n",
        stderr: "",
      });
    });

    it("exits with 3 at once if the gateway can't be reached, and with 2 for invalid arguments", async () => {
      const nobody = { STATIONGATE_URL: "http://127.0.0.1:2", STATIONGATE_TOKEN: "x" };
      expect((await runCli(["produce", station, "x"], nobody)).code).toBe(3);
      expect((await runCli(["produce", station, "-"], nobody, "{}\n")).code).toBe(3);
      expect((await runCli(["tail", station], nobody)).code).toBe(3);
      for (const args of [
        ["produse", station],
        ["produce"],
        ["produce", station],
        ["produce", station, "x", "--file", "y"],
        ["produce", station, "--file", "no-such-file"],
        ["produce", station, "-", "--batch-events", "many"],
        ["produce", station, "x", "--url", "gopher://x"],
        ["connectors", "apply", "no-such-file"],
        ["completion", "cmd.exe"],
      ])
        expect({ args, ...(await runCli(args, nobody)) }).toMatchObject({ args, code: 2, stdout: "" });
    });

    it("has help with an example for each command", async () => {
      const { stdout } = await runCli(["--help"]);
      const commands = [...stdout.matchAll(/^ {2}(\S+) /gm)].map(([, name = ""]) => name);
      for (const command of [
        "start",
        "produce",
        "tail",
        "token",
        "connectors",
        "check-config",
        "hash-secret",
        "completion",
      ]) {
        expect(commands).toContain(command);
        const help = await runCli([command, "--help"]);
        expect(help.stdout).toContain(`stationgate ${command}`);
        expect(help.stdout).toContain("Examples:");
        expect(help.code).toBe(0);
      }
    });
  });

  describe("start", () => {
    it("runs the gateway, and the other commands use its stored identity", async () => {
      const home = await mkdtemp(path.join(cli.directory, "home-"));
      const started = startCli(
        ["start"],
        { STATIONGATE_SERVER_PORT: "0", STATIONGATE_ADMIN_PORT: "0", STATIONGATE_SERVER_WORKERS: "2" },
        home,
      );
      const ports = new Map<string, number>();
      let printed = "";
      await new Promise<void>((resolve) => {
        started.child.stdout.on("data", (chunk: Buffer) => {
          printed += chunk.toString();
          for (const [, listener = "", port] of printed.matchAll(
            /"listener":"(public|admin)".*?"port":(\d+)/g,
          ))
            ports.set(listener, Number(port));
          if (ports.size === 2 && printed.includes("Stationgate is ready")) resolve();
        });
      });
      const url = `http://127.0.0.1:${String(ports.get("public"))}`;
      const own = startCli(["produce", "demo", "hello", "--url", url], {}, home);
      expect(await own.ended).toMatchObject({ code: 0, stderr: "" });
      const adminUrl = `http://127.0.0.1:${String(ports.get("admin"))}`;
      const list = startCli(["connectors", "list", "--admin-url", adminUrl, "--json"], {}, home);
      expect(await list.ended).toMatchObject({ code: 0, stdout: "[]\n" });

      started.child.kill("SIGTERM");
      expect((await started.ended).code).toBe(0);
    });

    it("refuses invalid settings as the program itself does", async () => {
      const settings = await cli.file("worse.yaml", "servr: {}\n");
      const { code, stdout, stderr } = await runCli(["start", "--config", settings]);
      expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
      expect(stderr).toBe("servr: is unknown, did you mean server?\n");
    });
  });

  it("runs with npx in the repository", async () => {
    const { stdout } = await run("npx", ["stationgate", "--help"]);
    expect(stdout).toContain("Usage: stationgate");
  });
});
