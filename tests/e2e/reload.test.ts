/** Settings are reloaded while the program serves, in one process and in two workers. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync, renameSync, writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { parse, stringify } from "yaml";
import { ADMIN_TOKEN, startGateway, type Gateway } from "../support/gateway.ts";
import { linesOf, type LogLine, until } from "../support/log-lines.ts";

const TIMEOUT = 120_000;
/** Calls over new connections, so that each worker answers some of them. */
const CALLS = 12;
const KEY_A = "key-of-partner-a-0000000000000000";
const KEY_B = "key-of-partner-b-0000000000000000";
const keyA = { id: "partner-a", key: KEY_A, stations: ["orders"] };
const keyB = { id: "partner-b", key: KEY_B, stations: ["orders"] };

/** There is no listener. The workers check credentials without Kafka. */
const NO_KAFKA = { type: "kafka", kafka: { brokers: ["127.0.0.1:9"] } };
const EMBEDDED = { type: "embedded", embedded: { dir: "./data" } };

interface File {
  auth: { apiKeys: object[] };
  server: Record<string, unknown>;
  [section: string]: unknown;
}

const fileOf = ({ directory }: Gateway): string => path.join(directory, "stationgate.yaml");

/** Replaces the settings file as an editor does. */
const rewrite = (gateway: Gateway, change: (settings: File) => void): void => {
  const settings = parse(readFileSync(fileOf(gateway), "utf8")) as File;
  change(settings);
  writeFileSync(`${fileOf(gateway)}.new`, stringify(settings));
  renameSync(`${fileOf(gateway)}.new`, fileOf(gateway));
};

const removeKeyA = (settings: File): void => {
  settings.auth.apiKeys = [keyB];
};

/** The distinct answers of all workers to this key: "401", or "taken" if the credential is valid. */
const answersTo = async (gateway: Gateway, key: string): Promise<readonly string[]> => {
  const answers = Array.from({ length: CALLS }, async () => {
    const { status } = await fetch(`${gateway.url}/stations/orders/produce/single`, {
      method: "POST",
      headers: { "x-api-key": key, "content-type": "application/json", connection: "close" },
      body: "{}",
    });
    return status === 401 ? "401" : "taken";
  });
  return [...new Set(await Promise.all(answers))];
};

const reload = async (gateway: Gateway, query = "") => {
  const answer = await fetch(`${gateway.adminUrl}/gateway/reload${query}`, {
    method: "POST",
    headers: { authorization: `Bearer ${ADMIN_TOKEN}` },
  });
  return { status: answer.status, body: (await answer.json()) as Record<string, unknown> };
};

const settingsInUse = async (gateway: Gateway): Promise<unknown> => {
  const answer = await fetch(`${gateway.adminUrl}/gateway`, {
    headers: { authorization: `Bearer ${ADMIN_TOKEN}` },
  });
  return ((await answer.json()) as { settings: unknown }).settings;
};

const start = (workers: number, more: object = {}): Promise<Gateway> =>
  startGateway({
    settings: {
      server: { host: "127.0.0.1", port: 0, workers },
      // A worker waits for a broker only briefly.
      broker: workers === 1 ? EMBEDDED : { ...NO_KAFKA, kafka: { ...NO_KAFKA.kafka, deliveryTimeout: "1s" } },
      auth: { apiKeys: [keyA, keyB] },
      ...more,
    },
  });

const QUIET = { reload: { watch: false } };

describe.each([1, 2])("with %i serving processes", (workers) => {
  let gateway: Gateway;

  afterEach(() => gateway[Symbol.asyncDispose]());

  it(
    "a key that is removed from the file is refused everywhere, and the other key goes on",
    async () => {
      gateway = await start(workers);

      expect(await answersTo(gateway, KEY_A)).toEqual(["taken"]);

      rewrite(gateway, removeKeyA);
      await until(() => linesOf(gateway, "settings reloaded").length === 1);

      expect(await answersTo(gateway, KEY_A)).toEqual(["401"]);
      expect(await answersTo(gateway, KEY_B)).toEqual(["taken"]);
      expect(linesOf(gateway, "settings reloaded")[0]).toMatchObject({
        ...{ trigger: "file", generation: 2, changed: ["auth.apiKeys[partner-a]"], needsRestart: [] },
      });
    },
    TIMEOUT,
  );

  it(
    "SIGHUP reloads",
    async () => {
      gateway = await start(workers, QUIET);
      rewrite(gateway, removeKeyA);
      process.kill(gateway.pid, "SIGHUP");
      await until(() => linesOf(gateway, "settings reloaded").length === 1);

      expect(await answersTo(gateway, KEY_A)).toEqual(["401"]);
      expect(linesOf(gateway, "settings reloaded")[0]?.trigger).toBe("signal");
    },
    TIMEOUT,
  );

  it(
    "a request reloads, and names what has changed and what needs a restart",
    async () => {
      gateway = await start(workers, QUIET);

      expect((await reload(gateway)).body).toMatchObject({ status: "unchanged", generation: 1, workers });

      rewrite(gateway, (settings) => {
        removeKeyA(settings);
        settings.server["bodyLimit"] = "1mb";
      });
      const expected = { changed: ["auth.apiKeys[partner-a]"], needsRestart: ["server.bodyLimit"], workers };

      expect((await reload(gateway, "?dryRun=true")).body).toMatchObject({
        ...expected,
        ...{ status: "dryRun", generation: 1 },
      });
      expect(await answersTo(gateway, KEY_A)).toEqual(["taken"]);
      expect(await reload(gateway)).toEqual({
        status: 200,
        body: { ...expected, status: "applied", trigger: "request", generation: 2 },
      });
      expect(await answersTo(gateway, KEY_A)).toEqual(["401"]);
      expect(await settingsInUse(gateway)).toMatchObject({
        ...{ generation: 2, needsRestart: ["server.bodyLimit"] },
      });

      const metrics = await (await fetch(`${gateway.adminUrl}/metrics`)).text();

      expect(metrics).toContain('stationgate_reloads_total{trigger="request",outcome="applied"} 1');
      expect(metrics).toContain('stationgate_reloads_total{trigger="request",outcome="unchanged"} 1');
      expect(metrics).toContain("stationgate_settings_need_restart 1");
    },
    TIMEOUT,
  );

  it(
    "a fault changes nothing anywhere",
    async () => {
      gateway = await start(workers, QUIET);
      rewrite(gateway, (settings) => {
        removeKeyA(settings);
        settings["cors"] = { origins: ["no origin"] };
      });
      const { status, body } = await reload(gateway);

      expect([status, body["code"]]).toEqual([422, "SETTINGS_REFUSED"]);
      expect(body["faults"]).toEqual([expect.stringMatching(/^cors\.origins\[0\]: got "no origin"/)]);
      expect(await answersTo(gateway, KEY_A)).toEqual(["taken"]);
      expect(await settingsInUse(gateway)).toMatchObject({ generation: 1 });

      await until(() => linesOf(gateway, "settings refused, the old ones stay").length === 1);
    },
    TIMEOUT,
  );

  it(
    "a broken file is reported once, and the next change of it is tried",
    async () => {
      gateway = await start(workers);
      const good = readFileSync(fileOf(gateway), "utf8");
      writeFileSync(fileOf(gateway), "auth: { apiKeys: [");
      await until(() => linesOf(gateway, "settings refused, the old ones stay").length === 1);
      const metric = /^stationgate_settings_refused (\d)$/m;
      const isRefused = async (): Promise<string | undefined> =>
        metric.exec(await (await fetch(`${gateway.adminUrl}/metrics`)).text())?.[1];

      expect(await isRefused()).toBe("1");

      writeFileSync(fileOf(gateway), good);
      rewrite(gateway, removeKeyA);
      await until(() => linesOf(gateway, "settings reloaded").length === 1);

      expect(await isRefused()).toBe("0");

      expect(linesOf(gateway, "settings refused, the old ones stay")).toHaveLength(1);
      expect(await answersTo(gateway, KEY_A)).toEqual(["401"]);
    },
    TIMEOUT,
  );
});

describe("with two workers", () => {
  let gateway: Gateway;

  const workersOf = (): readonly LogLine[] => linesOf(gateway, "worker started");
  const pidOf = (worker: number): number => workersOf().findLast((line) => line.worker === worker)?.pid ?? 0;

  afterEach(() => gateway[Symbol.asyncDispose]());

  it(
    "a SIGHUP to each process of the group ends none of them",
    async () => {
      gateway = await start(2, QUIET);
      for (const pid of [pidOf(1), pidOf(2), gateway.pid]) process.kill(pid, "SIGHUP");
      await until(async () =>
        (await (await fetch(`${gateway.adminUrl}/metrics`)).text()).includes(
          'stationgate_reloads_total{trigger="signal",outcome="unchanged"} 1',
        ),
      );

      expect(await answersTo(gateway, KEY_A)).toEqual(["taken"]);
      expect(workersOf()).toHaveLength(2);
      expect(linesOf(gateway, "worker ended; it will be replaced")).toEqual([]);
    },
    TIMEOUT,
  );

  it(
    "a worker that replaces another one has the new settings",
    async () => {
      gateway = await start(2, QUIET);
      rewrite(gateway, removeKeyA);
      await reload(gateway);
      process.kill(pidOf(2), "SIGKILL");
      await until(() => workersOf().length === 3);
      await until(async () => (await reload(gateway)).body["workers"] === 2);

      expect(await answersTo(gateway, KEY_A)).toEqual(["401"]);
      expect(await answersTo(gateway, KEY_B)).toEqual(["taken"]);
    },
    TIMEOUT,
  );

  it(
    "a frozen worker is replaced, and the other one has the new settings",
    async () => {
      gateway = await start(2, QUIET);
      rewrite(gateway, removeKeyA);
      const frozen = pidOf(2);
      process.kill(frozen, "SIGSTOP");

      expect((await reload(gateway)).body).toMatchObject({ status: "applied", generation: 2, workers: 1 });

      await until(async () => (await reload(gateway)).body["workers"] === 2);

      await until(() => pidOf(2) !== frozen);

      expect(await answersTo(gateway, KEY_A)).toEqual(["401"]);
    },
    TIMEOUT,
  );
});

describe("the ids of a station's events", () => {
  const station = { name: "orders", partitions: 1, key: "/customer" };
  let gateway: Gateway;

  afterEach(() => gateway[Symbol.asyncDispose]());

  /** Sends the event, and returns what the gateway says of it. */
  const statusOf = async (event: object): Promise<unknown> => {
    const answer = await fetch(`${gateway.url}/stations/orders/produce/single`, {
      method: "POST",
      headers: { "x-api-key": KEY_A, "content-type": "application/json", prefer: "return=representation" },
      body: JSON.stringify(event),
    });
    const { results } = (await answer.json()) as { results?: readonly { readonly status: string }[] };
    return results?.[0]?.status ?? answer.status;
  };

  it(
    "count from the reload on, with the key that the station had",
    async () => {
      gateway = await start(1, { ...QUIET, stations: [station] });
      const [first, second] = [
        { id: "1", customer: "a", shop: "x" },
        { id: "1", customer: "b", shop: "x" },
      ];

      expect([await statusOf(first), await statusOf(first)]).toEqual(["stored", "stored"]);

      rewrite(gateway, (settings) => {
        settings["stations"] = [{ ...station, once: { id: "/id", window: "1h" } }];
      });

      expect((await reload(gateway)).body).toMatchObject({ changed: ["stations[orders].once"] });
      expect([await statusOf(first), await statusOf(first)]).toEqual(["stored", "duplicate"]);
      expect(await statusOf({ customer: "a" })).toBe("refused");

      rewrite(gateway, (settings) => {
        settings["stations"] = [{ ...station, key: "/shop", once: { id: "/id", window: "2h" } }];
      });

      expect((await reload(gateway)).body).toMatchObject({
        changed: ["stations[orders].once.window"],
        needsRestart: ["stations[orders].key"],
      });
      // The id belongs to the customer still, not to the shop.
      expect([await statusOf(first), await statusOf(second)]).toEqual(["duplicate", "stored"]);
    },
    TIMEOUT,
  );
});

describe("a SIGHUP that comes first", () => {
  /** Each process sends itself a SIGHUP as soon as it has a listener, and reports what it has loaded by then. */
  const preload = `
    process.once("newListener", function look(name) {
      if (name !== "SIGHUP") return process.once("newListener", look);
      const isFirst = !process.moduleLoadList.includes("NativeModule cluster");
      setImmediate(() => process.kill(process.pid, "SIGHUP"));
      console.log(isFirst ? "[listener first]" : "[listener late]");
    });`;

  it.each(["dist/main.js", "dist/cli/main.js --json start", "dist/cli/main.js produce orders start"])(
    "ends a program without a settings file at once: %s",
    async (program) => {
      const directory = await mkdtemp(path.join(tmpdir(), "stationgate-hang-up-"));
      const [file = "", ...args] = program.split(" ");
      const flags = ["--import", `data:text/javascript,${encodeURIComponent(preload)}`];
      const child = spawn(process.execPath, [...flags, path.resolve(file), ...args], {
        cwd: directory,
        env: {
          PATH: process.env["PATH"],
          ...{ STATIONGATE_SERVER_PORT: "0", STATIONGATE_ADMIN_PORT: "0" },
        },
        stdio: ["pipe", "pipe", "inherit"],
      });
      let output = "";
      child.stdout.on("data", (chunk: Buffer) => (output += chunk.toString()));

      expect(await once(child, "exit")).toEqual([null, "SIGHUP"]);
      expect(output).toContain("[listener first]");
      expect(output).not.toContain("Stationgate is ready");
      await rm(directory, { recursive: true, force: true });
    },
    TIMEOUT,
  );

  it.each([1, 2])(
    "ends none of the processes, with %i serving ones",
    async (workers) => {
      await using gateway = await startGateway({
        settings: {
          server: { host: "127.0.0.1", port: 0, workers },
          broker: workers === 1 ? EMBEDDED : NO_KAFKA,
        },
        nodeFlags: ["--import", `data:text/javascript,${encodeURIComponent(preload)}`],
      });
      await until(async () =>
        (await (await fetch(`${gateway.adminUrl}/metrics`)).text()).includes(
          'stationgate_reloads_total{trigger="signal",outcome="unchanged"} 1',
        ),
      );

      // A worker has loaded the cluster module before its first statement.
      expect(gateway.output()).toContain("[listener first]");
      expect(linesOf(gateway, "worker started")).toHaveLength(workers === 1 ? 0 : 2);
      expect(linesOf(gateway, "worker ended; it will be replaced")).toEqual([]);
    },
    TIMEOUT,
  );
});

const ADMIN_PORT = /"listener":"admin".*?"port":(\d+)/;

describe("without a settings file", () => {
  it(
    "there is nothing to reload, and SIGHUP ends the program as SIGTERM does",
    async () => {
      const directory = await mkdtemp(path.join(tmpdir(), "stationgate-no-file-"));
      const child = spawn(process.execPath, [path.resolve("dist/main.js")], {
        cwd: directory,
        env: {
          PATH: process.env["PATH"],
          ...{ STATIONGATE_SERVER_PORT: "0", STATIONGATE_ADMIN_PORT: "0" },
          STATIONGATE_ADMIN_TOKEN: ADMIN_TOKEN,
        },
        stdio: ["ignore", "pipe", "inherit"],
      });
      const exited = once(child, "exit") as Promise<[number | null, string | null]>;
      let output = "";
      await new Promise<void>((resolve) => {
        child.stdout.on("data", (chunk: Buffer) => {
          output += chunk.toString();
          if (output.includes("Stationgate is ready") && ADMIN_PORT.test(output)) resolve();
        });
      });
      const port = ADMIN_PORT.exec(output)?.[1];
      const answer = await fetch(`http://127.0.0.1:${port}/gateway/reload`, {
        method: "POST",
        headers: { authorization: `Bearer ${ADMIN_TOKEN}` },
      });

      expect([answer.status, ((await answer.json()) as { code: string }).code]).toEqual([
        409,
        "NOTHING_TO_RELOAD",
      ]);

      child.kill("SIGHUP");

      expect(await exited).toEqual([0, null]);

      await rm(directory, { recursive: true, force: true });
    },
    TIMEOUT,
  );
});
