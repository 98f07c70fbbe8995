/** Counts the events of the embedded log with the routes that users have. */
import type { BenchGateway } from "./gateway.ts";

const BATCH_SIZE = 5000;
/** Longer than the delay between a write and its visibility to readers. */
const WAIT_MS = 500;

const readBatch = async ({ url, authorization }: BenchGateway, station: string): Promise<number> => {
  const answer = await fetch(`${url}/stations/${station}/consume/batch`, {
    method: "POST",
    headers: { authorization, "content-type": "application/json" },
    body: JSON.stringify({
      consumer_name: "bench",
      consumer_group: "bench",
      batch_size: BATCH_SIZE,
      batch_max_wait_time_ms: WAIT_MS,
    }),
  });
  // The station has no events yet.
  if (answer.status === 404) return 0;
  if (!answer.ok) throw new Error(`consuming was answered ${answer.status}`);
  return ((await answer.json()) as unknown[]).length;
};

/** Counts each event of the station once: a call continues after the last event of the previous call. */
export const createEmbeddedCounter = (gateway: BenchGateway, station: string): (() => Promise<number>) => {
  let total = 0;
  return async () => {
    let count: number;
    do {
      count = await readBatch(gateway, station);
      total += count;
    } while (count > 0);
    return total;
  };
};
