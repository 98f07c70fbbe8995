/** Measures the memory and the answer times of the gateway from outside while it is under load. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { largestRss } from "../processes.ts";

export interface Sightings {
  /** MiB of the gateway's largest process: shortly after the traffic began, at its maximum, and at the end. */
  readonly rssStart: number;
  readonly rssPeak: number;
  readonly rssEnd: number;
  /** Milliseconds of the slowest answer of `/healthz`, beyond the time that an idle server took at the same moment. */
  readonly slowestHealth: number;
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

  const probe = async (idle: string): Promise<void> => {
    const [own = 0, others = 0] = await Promise.all([answerTime(`${url}/healthz`), answerTime(idle)]);
    slowestHealth = Math.max(slowestHealth, own - others);
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
    return { rssStart, rssPeak, rssEnd, slowestHealth };
  };
};
