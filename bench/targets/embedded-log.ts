/** The embedded log, read back as a user reads it. */
import type { BenchGateway } from "./gateway.ts";

const AT_ONCE = 5000;
/** Longer than what is written takes to be seen. */
const WAIT_MS = 500;

const readSome = async ({ url, authorization }: BenchGateway, station: string): Promise<number> => {
  const answer = await fetch(`${url}/stations/${station}/consume/batch`, {
    method: "POST",
    headers: { authorization, "content-type": "application/json" },
    body: JSON.stringify({
      consumer_name: "bench",
      consumer_group: "bench",
      batch_size: AT_ONCE,
      batch_max_wait_time_ms: WAIT_MS,
    }),
  });
  // Nobody has written to the station yet.
  if (answer.status === 404) return 0;
  if (!answer.ok) throw new Error(`consuming was answered ${answer.status}`);
  return ((await answer.json()) as unknown[]).length;
};

/** Counts the station's events, each once: a call goes on where the last one ended. */
export const createEmbeddedCounter = (gateway: BenchGateway, station: string): (() => Promise<number>) => {
  let total = 0;
  return async () => {
    let some: number;
    do {
      some = await readSome(gateway, station);
      total += some;
    } while (some > 0);
    return total;
  };
};
