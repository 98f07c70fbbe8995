/** What other clients feel while a gateway works on something: how late `/healthz` answers, and how its memory grows. */
import { readFileSync } from "node:fs";
import { Agent } from "undici";

export interface Strain {
  /** Longest time that `/healthz` took to answer, in milliseconds. Infinity: the gateway did not answer. */
  readonly delayMs: number;
  /** Largest growth of the process's resident memory since the beginning, in MiB. */
  readonly memoryMiB: number;
  /** CPU time of the process since the beginning, in milliseconds. */
  readonly cpuMs: number;
}

export interface StrainWatch {
  /** Resolves once another answer has come, then ends the watch. */
  stop(): Promise<Strain>;
}

interface Watched {
  readonly url: string;
  readonly pid: number;
}

/** Between two probes, in milliseconds. */
const INTERVAL = 10;

/** Of the system's clock that counts CPU time. */
const TICK_MS = 10;

/** Resident memory of a process in MiB. */
const residentMiB = (pid: number): number =>
  Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) / 1024;

/** CPU time that a process has used, in milliseconds; steps of 10. */
export const cpuMs = (pid: number): number => {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) * TICK_MS;
};

/** Resolves after the first answer: what comes before it is not counted. */
export const watchStrain = async ({ url, pid }: Watched): Promise<StrainWatch> => {
  const agent = new Agent({ connections: 1, headersTimeout: 120_000 });
  const probe = async (): Promise<number> => {
    const started = performance.now();
    const { body } = await agent.request({ origin: url, path: "/healthz", method: "GET" });
    await body.dump();
    return performance.now() - started;
  };
  await probe();
  const before = { memory: residentMiB(pid), cpu: cpuMs(pid) };
  let delayMs = 0;
  let memoryMiB = 0;
  const ended = new AbortController();
  const measure = async (): Promise<void> => {
    try {
      delayMs = Math.max(delayMs, await probe());
      memoryMiB = Math.max(memoryMiB, residentMiB(pid) - before.memory);
    } catch {
      delayMs = Infinity;
    }
  };
  const watching = (async () => {
    while (!ended.signal.aborted) {
      await measure();
      await new Promise((resolve) => setTimeout(resolve, INTERVAL));
    }
    await measure();
  })();
  return {
    stop: async () => {
      ended.abort();
      await watching;
      await agent.close();
      return { delayMs, memoryMiB, cpuMs: cpuMs(pid) - before.cpu };
    },
  };
};
