/** CPU time and memory of a process and its children, from `/proc` (`proc(5)`). */
import { readdir, readFile } from "node:fs/promises";

/** `sysconf(_SC_CLK_TCK)`, which is 100 on every Linux that Node runs on. */
const TICKS_PER_SECOND = 100;
const KIB_PER_MIB = 1024;

interface Stat {
  readonly pid: number;
  readonly parent: number;
  /** User and system seconds of all threads. */
  readonly cpu: number;
}

const statOf = async (pid: number): Promise<Stat | undefined> => {
  const text = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => undefined);
  if (text === undefined) return undefined;
  // The second field is the command in brackets. It can contain spaces and brackets.
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  const field = (number: number): number => Number(fields[number - 3]);
  return { pid, parent: field(4), cpu: (field(14) + field(15)) / TICKS_PER_SECOND };
};

const familyOf = async (pid: number): Promise<readonly Stat[]> => {
  const pids = (await readdir("/proc")).map(Number).filter(Number.isInteger);
  const stats = (await Promise.all(pids.map(statOf))).filter((stat) => stat !== undefined);
  return stats.filter((stat) => stat.pid === pid || stat.parent === pid);
};

/** Seconds of CPU that the process and its children have used so far. */
export const cpuSeconds = async (pid: number): Promise<number> =>
  (await familyOf(pid)).reduce((sum, { cpu }) => sum + cpu, 0);

/** Resident MiB of the process and of each of its children. */
const rssOf = async (pid: number): Promise<readonly number[]> =>
  Promise.all(
    (await familyOf(pid)).map(async ({ pid: member }) => {
      const status = await readFile(`/proc/${member}/status`, "utf8").catch(() => "");
      return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1] ?? 0) / KIB_PER_MIB;
    }),
  );

/** Resident MiB of the largest process: this process or one of its children. */
export const largestRss = async (pid: number): Promise<number> => Math.max(...(await rssOf(pid)));

/** Resident MiB of the process and its children together. */
export const totalRss = async (pid: number): Promise<number> =>
  (await rssOf(pid)).reduce((sum, size) => sum + size, 0);

/** Milliseconds of a main thread so far: on a CPU, and ready to run without one. */
export interface ThreadTime {
  readonly cpu: number;
  readonly waited: number;
}

/** The main threads of the process and of each of its children, by process id. Empty if the kernel doesn't measure them. */
export const threadTimes = async (pid: number): Promise<ReadonlyMap<number, ThreadTime>> => {
  const children = await readFile(`/proc/${pid}/task/${pid}/children`, "utf8").catch(() => "");
  const times = new Map<number, ThreadTime>();
  for (const member of [pid, ...children.split(" ").filter(Boolean).map(Number)]) {
    const text = await readFile(`/proc/${member}/schedstat`, "utf8").catch(() => "");
    const [cpu = 0, waited = 0] = text.split(" ").map((nanoseconds) => Number(nanoseconds) / 1e6);
    if (text !== "") times.set(member, { cpu, waited });
  }
  return times;
};

/** Process ids of its children. */
export const childrenOf = async (pid: number): Promise<readonly number[]> =>
  (await familyOf(pid)).filter(({ parent }) => parent === pid).map((child) => child.pid);
