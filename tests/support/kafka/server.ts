/** A real Apache Kafka of one KRaft node as a child process, which tests can freeze, kill and restart. */
import { spawn, type ChildProcess } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdir, mkdtemp, open, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Kafka, logLevel } from "kafkajs";
import { freePort } from "../free-port.ts";
import { archiveOptions } from "./archive.ts";
import { makeCertificates, type Certificates } from "./certificates.ts";
import { kafkaClassPath } from "./jars.ts";
import { startTcpProxy, type TcpProxy } from "./proxy.ts";
import { serverProperties, type NodeLayout, type Protocol } from "./properties.ts";
import { formatStorage } from "./storage.ts";

/** Milliseconds, less than the timeout of the hooks that start Kafka. On a busy machine a start can take a minute. */
const START_TIMEOUT = 110_000;

export interface KafkaOptions {
  /** Listeners beside PLAINTEXT. */
  readonly listeners?: readonly Exclude<Protocol, "PLAINTEXT" | "PROXIED">[];
  /** Adds the listener PROXIED with the advertised port of a proxy. */
  readonly proxyPort?: number;
  /** Default: a free port. */
  readonly controllerPort?: number;
  /** Default: a new cluster id. */
  readonly clusterId?: string;
  /** User name → password, for PLAIN and both SCRAM mechanisms on the SASL listeners. */
  readonly users?: Readonly<Record<string, string>>;
  /** URL of the key set that verifies the tokens of OAUTHBEARER on the SASL listeners. Default: the mechanism is off. */
  readonly tokenKeys?: string;
  /** Settings of `server.properties` that override those of `properties.ts`. */
  readonly properties?: Readonly<Record<string, string>>;
  /** JVM options. Default: fast start, small heap. */
  readonly jvm?: readonly string[];
  /** The process id of the owner: the broker ends when the owner ends. Default: this process. */
  readonly owner?: number;
  /** A new folder for data and log, deleted at the end. Default: a folder in the system's temporary folder. */
  readonly folder?: string;
}

export interface KafkaServer {
  /** host:port of the PLAINTEXT listener, known before the start. */
  readonly brokers: readonly string[];
  /** host:port of each listener. */
  readonly listeners: ReadonlyMap<Protocol, string>;
  /** Set if there is an SSL or SASL_SSL listener. */
  readonly certificates: Certificates | undefined;
  /** Process id of the running broker. */
  readonly pid: number | undefined;
  /** Starts the broker with the data of the previous start. Resolves when the broker answers. */
  start(): Promise<void>;
  /** Sends SIGKILL, or another signal. Resolves when the process has ended. */
  kill(signal?: NodeJS.Signals): Promise<void>;
  /** Resolves when the process has ended by itself. */
  ended(): Promise<void>;
  /** `kill` and `start`, on the same ports. */
  restart(): Promise<void>;
  /** Sends SIGSTOP: connections stay open without answers. */
  freeze(): void;
  thaw(): void;
  /** Thaws the broker, or starts it if it was killed. For the end of a test that may have failed before it did so. */
  heal(): Promise<void>;
  /** Ends the process and deletes its data. */
  stop(): Promise<void>;
}

/** A process that ends the broker, also a frozen broker, a second after its owner has ended. */
const guard = (owner: number, pid: number, folder: string): void => {
  const script = `while kill -0 "$0" && kill -0 "$1"; do sleep 1; done
    kill -0 "$0" || { kill -KILL "$1"; rm -rf "$2"; }`;
  spawn("sh", ["-c", script, String(owner), String(pid), folder], {
    stdio: "ignore",
    detached: true,
  }).unref();
};

const waitUntilReady = async (brokers: readonly string[], isRunning: () => boolean): Promise<boolean> => {
  const admin = new Kafka({
    brokers: [...brokers],
    logLevel: logLevel.NOTHING,
    connectionTimeout: 1000,
    requestTimeout: 2000,
    retry: { retries: 0 },
  }).admin();
  const deadline = Date.now() + START_TIMEOUT;
  try {
    while (isRunning() && Date.now() < deadline) {
      const cluster = await admin
        .connect()
        .then(() => admin.describeCluster())
        .catch(() => undefined);
      if (cluster !== undefined && cluster.brokers.length > 0) return true;
      await sleep(50);
    }
    return false;
  } finally {
    await admin.disconnect();
  }
};

const DEFAULT_JVM = ["-Xms64m", "-Xmx512m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC"];

export const newClusterId = (): string => randomBytes(16).toString("base64url").replace(/^-/, "k");

/** Reserves ports, and creates certificates if a listener needs them. */
const layoutOf = async (options: KafkaOptions, folder: string): Promise<NodeLayout> => {
  const { users = {}, properties = {}, proxyPort, tokenKeys, controllerPort = await freePort() } = options;
  const proxied = proxyPort === undefined ? [] : (["PROXIED"] as const);
  const ports = new Map<Protocol, number>();
  for (const protocol of ["PLAINTEXT", ...proxied, ...(options.listeners ?? [])] as const)
    ports.set(protocol, await freePort());
  const secure = ports.has("SSL") || ports.has("SASL_SSL");
  const certificates = secure ? await makeCertificates(folder) : undefined;
  return { folder, ports, proxyPort, controllerPort, users, tokenKeys, certificates, properties };
};

const scramUsers = (users: NodeLayout["users"]): string[] =>
  Object.entries(users).flatMap(([name, password]) =>
    ["SCRAM-SHA-256", "SCRAM-SHA-512"].flatMap((mechanism) => [
      "--add-scram",
      `${mechanism}=[name=${name},password=${password}]`,
    ]),
  );

/** Runs a Kafka for the archive of its classes. A JVM writes the archive only at an orderly end. */
const train = async (options: readonly string[]): Promise<void> => {
  const kafka = await prepareKafka({ jvm: [...DEFAULT_JVM, ...options] });
  try {
    await kafka.start();
    await kafka.kill("SIGTERM");
  } finally {
    await kafka.stop();
  }
};

const defaultJvm = async (): Promise<readonly string[]> => [...DEFAULT_JVM, ...(await archiveOptions(train))];

/** Kafka 4 fetches keys only from the URLs that this JVM option names. */
const allowedUrls = ({ tokenKeys }: KafkaOptions): readonly string[] =>
  tokenKeys === undefined ? [] : [`-Dorg.apache.kafka.sasl.oauthbearer.allowed.urls=${tokenKeys}`];

/** Reserves the folder and the ports, and formats the storage. The caller starts the broker. */
export const prepareKafka = async (options: KafkaOptions = {}): Promise<KafkaServer> => {
  const classPath = await kafkaClassPath();
  const { jvm = await defaultJvm(), owner = process.pid, clusterId = newClusterId() } = options;
  const folder = options.folder ?? (await mkdtemp(join(tmpdir(), "stationgate-kafka-")));
  await mkdir(join(folder, "data"), { recursive: true });
  const logFile = join(folder, "server.log");
  const settingsFile = join(folder, "server.properties");
  const layout = await layoutOf(options, folder);
  const { ports, users, certificates } = layout;
  await writeFile(settingsFile, serverProperties(layout));
  const java = [...jvm, "-cp", classPath];
  const nodeId = options.properties?.["node.id"] ?? "1";
  const identity = { clusterId, nodeId, randomId: newClusterId };
  await formatStorage({ ...identity, folder, settingsFile, scram: scramUsers(users), java });

  const listeners = new Map([...ports].map(([protocol, port]) => [protocol, `127.0.0.1:${port}`] as const));
  const brokers = [listeners.get("PLAINTEXT") ?? ""];
  let child: ChildProcess | undefined;
  const isRunning = () => child?.exitCode === null && child.signalCode === null;

  const end = async (signal: NodeJS.Signals = "SIGKILL"): Promise<void> => {
    if (child === undefined || !isRunning()) return;
    child.ref();
    const exited = once(child, "exit");
    child.kill(signal);
    await exited;
  };
  const start = async (): Promise<void> => {
    const log = await open(logFile, "a");
    child = spawn("java", [...allowedUrls(options), ...java, "kafka.Kafka", settingsFile], {
      stdio: ["ignore", log.fd, log.fd],
    });
    await once(child, "spawn");
    await log.close();
    guard(owner, child.pid ?? 0, folder);
    child.unref();
    if (await waitUntilReady(brokers, isRunning)) return;
    await end();
    throw new Error(`Kafka does not start:\n${await readFile(logFile, "utf8")}`);
  };

  return {
    brokers,
    listeners,
    certificates,
    get pid() {
      return child?.pid;
    },
    start,
    kill: end,
    ended: async () => {
      if (child !== undefined && isRunning()) await once(child, "exit");
    },
    restart: async () => {
      await end();
      await start();
    },
    freeze: () => child?.kill("SIGSTOP"),
    thaw: () => child?.kill("SIGCONT"),
    heal: async () => {
      child?.kill("SIGCONT");
      if (!isRunning()) await start();
    },
    stop: async () => {
      await end();
      await rm(folder, { recursive: true, force: true });
    },
  };
};

/** A broker, and a proxy that forwards to it from the start on. */
export interface ProxiedKafka {
  readonly kafka: KafkaServer;
  readonly proxy: TcpProxy;
  /** The proxy forwards to the broker again. */
  reconnect(): void;
  stop(): Promise<void>;
}

/** Starts both. The caller stops them. */
export const startProxiedKafka = async (): Promise<ProxiedKafka> => {
  const proxy = await startTcpProxy();
  const kafka = await startKafka({ proxyPort: proxy.port });
  const reconnect = (): void => {
    proxy.forwardTo(kafka.listeners.get("PROXIED") ?? "");
  };
  reconnect();
  return {
    kafka,
    proxy,
    reconnect,
    stop: async () => {
      await proxy.stop();
      await kafka.stop();
    },
  };
};

/** Starts a broker. The caller stops it. */
export const startKafka = async (options: KafkaOptions = {}): Promise<KafkaServer> => {
  const kafka = await prepareKafka(options);
  await kafka.start();
  return kafka;
};
