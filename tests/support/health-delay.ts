/** Measures how long `/healthz` takes to answer and how the memory grows while a gateway has work. */
import { readFileSync } from "node:fs";
import { Agent } from "undici";

export interface Strain {
  /**
   * Longest time that `/healthz` waited for its answer, in milliseconds of CPU time of the gateway's main thread, so that
   * other load on the machine doesn't count. Infinity: the gateway did not answer.
   */
  readonly delayMs: number;
  /** Largest growth of the resident memory since the start, in MiB. */
  readonly memoryMiB: number;
  /** CPU time of the process since the start, in milliseconds. */
  readonly cpuMs: number;
}

export interface StrainWatch {
  /** Waits for one more answer, and then ends the measurement. */
  stop(): Promise<Strain>;
}

interface Watched {
  readonly url: string;
  readonly pid: number;
}

/** Milliseconds between two probes. */
const INTERVAL = 10;

/** Milliseconds per tick of the CPU time in `/proc`. */
const TICK_MS = 10;

/** Resident memory of a process in MiB. */
const residentMiB = (pid: number): number =>
  Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) / 1024;

/** CPU time of a process in milliseconds, in steps of 10. */
export const cpuMs = (pid: number): number => {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) * TICK_MS;
};

/** CPU time of the main thread of a process, in milliseconds. */
const mainThreadMs = (pid: number): number =>
  Number(readFileSync(`/proc/${pid}/task/${pid}/schedstat`, "utf8").split(" ")[0]) / 1e6;

/** Resolves after the first answer. The measurement starts then. */
export const watchStrain = async ({ url, pid }: Watched): Promise<StrainWatch> => {
  const agent = new Agent({ connections: 1, headersTimeout: 120_000 });
  const probe = async (): Promise<number> => {
    const begin = mainThreadMs(pid);
    const { body } = await agent.request({ origin: url, path: "/healthz", method: "GET" });
    await body.dump();
    return mainThreadMs(pid) - begin;
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
