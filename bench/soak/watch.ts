/** Measures the memory and the answer times of the gateway from outside while it is under load. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { largestRss, type ThreadTime, threadTimes } from "../processes.ts";

export interface Sightings {
  /** MiB of the gateway's largest process: shortly after the traffic began, at its maximum, and at the end. */
  readonly rssStart: number;
  readonly rssPeak: number;
  readonly rssEnd: number;
  /**
   * Milliseconds of the slowest answer of `/healthz`, without the time in which the gateway waited for a CPU, and without
   * the time that an idle server took at the same moment.
   */
  readonly slowestHealth: number;
  /** Milliseconds of CPU that a main thread of the gateway used during one answer of `/healthz`: the loop was blocked. */
  readonly busiestHealth: number;
}

const PAUSE = 100;

/** A server without work in a process of its own. It answers late only if the machine or this process is late. */
const startIdleServer = async (): Promise<{ readonly url: string; readonly stop: () => void }> => {
  const program = `
    const server = require("node:http").createServer((_, response) => response.end());
    server.listen(0, "127.0.0.1", () => console.log(server.address().port));
    process.stdin.on("end", () => process.exit()).resume();`;
  const child = spawn(process.execPath, ["-e", program], { stdio: ["pipe", "pipe", "inherit"] });
  const [port] = (await once(child.stdout, "data")) as [Buffer];
  return { url: `http://127.0.0.1:${port.toString().trim()}`, stop: () => child.stdin.end() };
};

/** Milliseconds until the whole answer is here; undefined: no answer came. */
const answerTime = async (url: string): Promise<number | undefined> => {
  const began = performance.now();
  const answer = await fetch(url, { signal: AbortSignal.timeout(30_000) }).catch(() => undefined);
  await answer?.text();
  return answer && performance.now() - began;
};

/**
 * Measures until the returned function is called. `pid` is called each time, because the gateway may have been
 * restarted.
 */
export const startWatching = (url: string, pid: () => number): (() => Promise<Sightings>) => {
  let stopped = false;
  let rssStart = 0;
  let rssPeak = 0;
  let rssEnd = 0;
  let slowestHealth = 0;
  let busiestHealth = 0;

  const probe = async (idle: string): Promise<void> => {
    // A gateway that starts again does not count: it listens before `pid` knows it.
    if (!existsSync(`/proc/${pid()}`)) return;
    const before = await threadTimes(pid());
    const [own = 0, others = 0] = await Promise.all([answerTime(`${url}/healthz`), answerTime(idle)]);
    // A thread that began since then is not ready to answer.
    const during = [...(await threadTimes(pid()))].map(([member, { cpu, waited }]) => {
      const began = before.get(member);
      return { cpu: cpu - (began?.cpu ?? cpu), waited: waited - (began?.waited ?? waited) };
    });
    const mostOf = (kind: keyof ThreadTime): number => Math.max(0, ...during.map((thread) => thread[kind]));
    slowestHealth = Math.max(slowestHealth, own - others - mostOf("waited"));
    busiestHealth = Math.max(busiestHealth, Math.min(own, mostOf("cpu")));
  };

  const weigh = async (): Promise<void> => {
    const rss = await largestRss(pid());
    if (!Number.isFinite(rss) || rss <= 0) return;
    if (rssStart === 0) rssStart = rss;
    rssPeak = Math.max(rssPeak, rss);
    rssEnd = rss;
  };

  const watch = async (): Promise<void> => {
    const idle = await startIdleServer();
    for (let n = 0; !stopped; n += 1) {
      await probe(idle.url);
      if (n % 10 === 0) await weigh();
      await sleep(PAUSE);
    }
    idle.stop();
  };

  const watching = watch();
  return async () => {
    stopped = true;
    await watching;
    await weigh();
    return { rssStart, rssPeak, rssEnd, slowestHealth, busiestHealth };
  };
};
