/** Gateways on one Kafka behind nginx without affinity, as the pods of a cluster. */
import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { Kafka, logLevel, type Admin } from "kafkajs";
import { partitionOfKey } from "../../../src/broker/partitions.ts";
import { decodeHolders, type SlotHolders } from "../../../src/home/gateway-data.ts";
import { uniqueName } from "../kafka/describe.ts";
import { signIn, startGateway, type Gateway } from "../gateway.ts";
import type { LogLine } from "../log-lines.ts";
import { startNginx } from "../nginx.ts";

const SLOTS = 60;
/** The groups of the homes. */
const READERS = "stationgate-readers";
const ONCE = "stationgate-once";

export interface Pod {
  readonly gateway: Gateway;
  readonly isDown: boolean;
  /** Ends the process, and starts it again on the same ports. */
  restart(signal: NodeJS.Signals): Promise<void>;
  kill(): Promise<void>;
  /** Sends SIGSTOP to the process and its workers. */
  freeze(): void;
  thaw(): void;
}

export interface Pods {
  /** nginx in front of the pods. */
  readonly url: string;
  /** A token of `root`, for all pods. */
  readonly token: string;
  readonly all: readonly Pod[];
  readonly admin: Admin;
  /** The error log of nginx. */
  proxyErrors(): Promise<string>;
  /** Waits until a pod that runs is the home of the group. */
  homeOf(group: string): Promise<Pod>;
  /** A new name of a group whose home is this pod. */
  groupOn(pod: Pod): Promise<string>;
  /** The process id of the worker that is the home of the group. */
  homeWorkerOf(group: string): Promise<number>;
  /** A pod that runs and is not this one. */
  otherThan(...pods: readonly Pod[]): Pod;
  /** Starts or thaws each pod. Resolves when each of them has its part of the slots, and gets requests from nginx. */
  heal(): Promise<void>;
  stop(): Promise<void>;
}

interface PodsOptions {
  readonly brokers: readonly string[];
  readonly stations: readonly object[];
  /** Default: 3. */
  readonly size?: number;
  readonly settings?: Readonly<Record<string, unknown>>;
  /** Settings and options of one pod. */
  readonly podOptions?: (index: number) => {
    readonly nodeFlags?: readonly string[];
    readonly env?: Record<string, string>;
  };
  /** Fixed peer ports. Default: free ports. */
  readonly peerPorts?: readonly number[];
}

/** Lines about peer ports and workers. Only these are parsed, because the log of a long test has very many lines. */
const linesOf = ({ gateway }: Pod): readonly LogLine[] =>
  gateway
    .output()
    .split("\n")
    .filter(
      (line) => line.endsWith("}") && (line.includes('"listener":"peer"') || line.includes("worker started")),
    )
    .map((line) => JSON.parse(line) as LogLine);

/** The line about the peer port with this address. */
const peerLineOf = (pod: Pod, address: string): LogLine | undefined =>
  linesOf(pod).findLast(({ listener, host, port }) => listener === "peer" && `${host}:${port}` === address);

/** Begins with the process that starts the workers, so that none is started meanwhile. */
const signalAll = ({ pid }: Gateway, signal: NodeJS.Signals): void => {
  process.kill(pid, signal);
  const workers = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").split(" ").filter(Boolean);
  for (const worker of workers) process.kill(Number(worker), signal);
};

const startPod = async (options: PodsOptions, index: number): Promise<Pod> => {
  let gateway = await startGateway({
    settings: {
      broker: { type: "kafka", kafka: { brokers: [...options.brokers] } },
      stations: options.stations,
      reading: { peer: { host: "127.0.0.1", port: options.peerPorts?.[index] ?? 0 } },
      once: {},
      ...options.settings,
    },
    ...options.podOptions?.(index),
  });
  let state: "running" | "frozen" | "ended" = "running";
  const pod: Pod = {
    get gateway() {
      return gateway;
    },
    get isDown() {
      return state !== "running";
    },
    restart: async (signal) => {
      const code = await gateway.stop(signal);
      if (signal === "SIGTERM" && code !== 0)
        throw new Error(`ended with ${String(code)}:\n${gateway.output()}`);
      state = "ended";
      gateway = await gateway.restart();
      state = "running";
    },
    kill: async () => {
      state = "ended";
      await gateway.stop("SIGKILL");
    },
    freeze: () => {
      state = "frozen";
      signalAll(gateway, "SIGSTOP");
    },
    thaw: () => {
      signalAll(gateway, "SIGCONT");
      state = "running";
    },
  };
  return pod;
};

/** The number of requests for the first page that the pod has answered. */
const requestsTo = async ({ gateway }: Pod): Promise<number> => {
  const text = await (await fetch(`${gateway.adminUrl}/metrics`)).text();
  const counts = text.matchAll(/^stationgate_http_requests_total\{route="\/",.* (\d+)$/gm);
  return [...counts].reduce((sum, [, count]) => sum + Number(count), 0);
};

export const startPods = async (options: PodsOptions): Promise<Pods> => {
  const { size = 3, brokers } = options;
  const running = await Promise.all(Array.from({ length: size }, (_, index) => startPod(options, index)));
  const nginx = await startNginx(running.map((pod) => new URL(pod.gateway.url).host));
  const [first] = running;
  if (first === undefined) throw new Error("no pod");
  const token = await signIn(first.gateway);
  const admin = new Kafka({ brokers: [...brokers], logLevel: logLevel.NOTHING }).admin();
  await admin.connect();

  /** The holder of each slot, and the next one, by the assignment that Kafka has now. */
  const holders = async (group = READERS): Promise<readonly SlotHolders[]> => {
    const { groups } = await admin.describeGroups([group]).catch(() => ({ groups: [] }));
    const assignment = groups[0]?.members[0]?.memberAssignment;
    return (assignment && decodeHolders(assignment)) ?? [];
  };
  /** Each pod holds slots of the group, and no slot moves. */
  const isDivided = async (group: string): Promise<boolean> => {
    const slots = await holders(group);
    const homes = new Set(slots.map(({ holder }) => podAt(holder?.address ?? "")));
    const isMoving = slots.some(({ next }) => next !== undefined);
    return homes.size === running.length && !homes.has(undefined) && !isMoving;
  };
  const podAt = (address: string): Pod | undefined =>
    running.find((pod) => peerLineOf(pod, address) !== undefined);
  const homeAddress = async (group: string): Promise<readonly [Pod, string]> => {
    for (;;) {
      const slot = (await holders())[partitionOfKey(Buffer.from(group), SLOTS)];
      const address = slot?.holder?.address ?? "";
      const pod = podAt(address);
      if (pod?.isDown === false) return [pod, address];
      await sleep(100);
    }
  };

  const pods: Pods = {
    url: nginx.url,
    token,
    all: running,
    admin,
    proxyErrors: () => nginx.errors(),
    homeOf: async (group) => (await homeAddress(group))[0],
    groupOn: async (pod) => {
      for (;;) {
        const group = uniqueName("group");
        if ((await homeAddress(group))[0] === pod) return group;
      }
    },
    homeWorkerOf: async (group) => {
      const [pod, address] = await homeAddress(group);
      const worker = peerLineOf(pod, address)?.worker;
      const started = linesOf(pod).findLast(
        (line) => line.msg === "worker started" && line.worker === worker,
      );
      return started?.pid ?? pod.gateway.pid;
    },
    otherThan: (...given) => {
      const pod = running.find((one) => !one.isDown && !given.includes(one));
      if (pod === undefined) throw new Error("no other pod runs");
      return pod;
    },
    heal: async () => {
      for (const pod of running) if (pod.isDown) await heal(pod);
      while (!(await isDivided(READERS)) || !(await isDivided(ONCE))) await sleep(100);
      // For a second nginx passes nothing to a pod that did not accept a connection.
      const passed = new Set<Pod>();
      while (passed.size < running.length) {
        const before = await Promise.all(running.map(requestsTo));
        await (await fetch(nginx.url)).arrayBuffer();
        const after = await Promise.all(running.map(requestsTo));
        for (const [index, pod] of running.entries()) if (after[index] !== before[index]) passed.add(pod);
      }
    },
    stop: async () => {
      await admin.disconnect();
      await nginx[Symbol.asyncDispose]();
      await Promise.all(running.map((pod) => pod.gateway[Symbol.asyncDispose]()));
    },
  };
  await pods.heal();
  return pods;
};

const heal = async (pod: Pod): Promise<void> => {
  const isRunning = (): boolean => {
    try {
      process.kill(pod.gateway.pid, "SIGCONT");
      return true;
    } catch {
      return false;
    }
  };
  if (isRunning()) pod.thaw();
  else await pod.restart("SIGKILL");
};
