/** The gateway as it is shipped: a process with its own settings file. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { request } from "node:https";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { text } from "node:stream/consumers";
import { setTimeout as sleep } from "node:timers/promises";
import { stringify } from "yaml";
import { freePort } from "../../tests/support/free-port.ts";
import { makeCertificate } from "./certificate.ts";

export interface BenchGateway {
  readonly url: string;
  readonly adminUrl: string;
  /** The header `Authorization` of a producer. */
  readonly authorization: string;
  readonly adminAuthorization: string;
  readonly pid: number;
  stop(): Promise<void>;
}

export interface GatewaySettings {
  readonly program: string;
  readonly workers: number | "auto";
  /** The `broker` part of the settings. */
  readonly broker: Readonly<Record<string, unknown>>;
  /** The `reading` part of the settings. */
  readonly reading?: Readonly<Record<string, unknown>>;
  /** The public port has TLS. */
  readonly tls?: boolean;
  /** Further parts of the settings. */
  readonly more?: Readonly<Record<string, unknown>>;
  /** Folder for a V8 profile; undefined: none. */
  readonly profile: string | undefined;
}

const ADMIN_TOKEN = "admin-token-of-the-benchmark-0000000";
const ROOT = { username: "root", connection_token: "root-connection-token-of-the-benchmark" };
const START_TIMEOUT = 120_000;
const HOST = "127.0.0.1";

type Certificate = Awaited<ReturnType<typeof makeCertificate>>;

const settingsFor = (
  { workers, broker, reading = {}, more = {} }: GatewaySettings,
  ports: { public: number; admin: number },
  tls: Certificate | undefined,
) => ({
  server: { host: HOST, port: ports.public, workers, ...(tls && { tls }) },
  admin: { host: HOST, port: ports.admin, token: ADMIN_TOKEN },
  broker,
  reading,
  auth: {
    accessToken: { secret: "access-secret-of-the-benchmark-0123456789", ttl: "5h" },
    refreshToken: { secret: "refresh-secret-of-the-benchmark-0123456789" },
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
  delivery: { allowTargets: ["127.0.0.0/8"] },
  autoCreateStations: true,
  ...more,
});

const untilReady = async (url: string, isRunning: () => boolean): Promise<void> => {
  const deadline = Date.now() + START_TIMEOUT;
  while (isRunning() && Date.now() < deadline) {
    const answer = await fetch(`${url}/readyz`).catch(() => undefined);
    if (answer?.ok === true) return;
    await sleep(50);
  }
  throw new Error("The gateway does not become ready");
};

const signIn = async (url: string): Promise<string> => {
  const answer = await fetch(`${url}/auth/authenticate`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(ROOT),
  });
  return `Bearer ${((await answer.json()) as { jwt: string }).jwt}`;
};

/** As `signIn`, at a gateway with this certificate. */
const signInSecurely = async (url: string, { cert }: Certificate): Promise<string> => {
  const ca = await readFile(cert);
  const headers = { "content-type": "application/json" };
  const asking = request(`${url}/auth/authenticate`, { ca, method: "POST", headers, agent: false });
  asking.end(JSON.stringify(ROOT));
  const [answer] = (await once(asking, "response")) as [NodeJS.ReadableStream];
  return `Bearer ${(JSON.parse(await text(answer)) as { jwt: string }).jwt}`;
};

/** Starts the gateway and signs in. The gateway writes its log, to /dev/null, because this work is a part of its load. */
export const startBenchGateway = async (settings: GatewaySettings): Promise<BenchGateway> => {
  const folder = await mkdtemp(join(tmpdir(), "stationgate-bench-"));
  const config = join(folder, "stationgate.yaml");
  const ports = { public: await freePort(), admin: await freePort() };
  const tls = settings.tls === true ? await makeCertificate(folder) : undefined;
  await writeFile(config, stringify(settingsFor(settings, ports, tls)));
  const profiler = settings.profile === undefined ? [] : ["--cpu-prof", "--cpu-prof-dir", settings.profile];
  const child = spawn(process.execPath, [...profiler, resolve(settings.program), "--config", config], {
    cwd: folder,
    stdio: ["ignore", "ignore", "inherit"],
  });
  const isRunning = (): boolean => child.exitCode === null && child.signalCode === null;
  const url = `${tls === undefined ? "http" : "https"}://${HOST}:${ports.public}`;
  const adminUrl = `http://${HOST}:${ports.admin}`;
  try {
    await untilReady(adminUrl, isRunning);
  } catch (error) {
    child.kill("SIGKILL");
    throw error;
  }
  return {
    url,
    adminUrl,
    authorization: await (tls === undefined ? signIn(url) : signInSecurely(url, tls)),
    adminAuthorization: `Bearer ${ADMIN_TOKEN}`,
    pid: child.pid ?? 0,
    stop: async () => {
      if (isRunning()) {
        const exited = once(child, "exit");
        child.kill("SIGTERM");
        await exited;
      }
      await rm(folder, { recursive: true, force: true });
    },
  };
};
