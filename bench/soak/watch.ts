/** Measures the memory and the answer times of the gateway from outside while it is under load. */
import { setTimeout as sleep } from "node:timers/promises";
import { largestRss } from "../processes.ts";

export interface Sightings {
  /** MiB of the gateway's largest process: shortly after the traffic began, at its maximum, and at the end. */
  readonly rssStart: number;
  readonly rssPeak: number;
  readonly rssEnd: number;
  /** Milliseconds of the slowest answer of `/healthz`. */
  readonly slowestHealth: number;
}

const PAUSE = 100;

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

  const probe = async (): Promise<void> => {
    const began = performance.now();
    const answer = await fetch(`${url}/healthz`, { signal: AbortSignal.timeout(30_000) }).catch(
      () => undefined,
    );
    await answer?.text();
    if (answer !== undefined) slowestHealth = Math.max(slowestHealth, performance.now() - began);
  };

  const weigh = async (): Promise<void> => {
    const rss = await largestRss(pid());
    if (!Number.isFinite(rss) || rss <= 0) return;
    if (rssStart === 0) rssStart = rss;
    rssPeak = Math.max(rssPeak, rss);
    rssEnd = rss;
  };

  const watch = async (): Promise<void> => {
    for (let n = 0; !stopped; n += 1) {
      await probe();
      if (n % 10 === 0) await weigh();
      await sleep(PAUSE);
    }
  };

  const watching = watch();
  return async () => {
    stopped = true;
    await watching;
    await weigh();
    return { rssStart, rssPeak, rssEnd, slowestHealth };
  };
};
