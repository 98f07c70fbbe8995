/** Clients that produce until they are stopped, and record the outcome of each request. */
import { Agent } from "undici";

export interface LoadReport {
  /** Ids with the answer 200: the gateway acknowledged them as stored. */
  readonly acknowledged: readonly string[];
  /** Number of answers by other status. */
  readonly statuses: ReadonlyMap<number, number>;
  /** Number of requests without an answer, by error code. */
  readonly broken: ReadonlyMap<string, number>;
  /** Maximum time between a request and its answer, in milliseconds. */
  readonly slowest: number;
}

export interface Load {
  /** Resolves when this number of events has been acknowledged since the start. */
  acknowledged(count: number): Promise<void>;
  /** Waits for the requests in flight, and returns the report. */
  stop(): Promise<LoadReport>;
}

interface LoadOptions {
  readonly url: string;
  readonly token: string;
  readonly station: string;
  readonly clients: number;
  /** true: a client continues after a failed or refused request. Default: a broken connection ends its client. */
  readonly persistent?: boolean;
}

interface Counts {
  readonly acknowledged: string[];
  readonly statuses: Map<number, number>;
  readonly broken: Map<string, number>;
  slowest: number;
}

const count = <K>(map: Map<K, number>, key: K): void => void map.set(key, (map.get(key) ?? 0) + 1);

const breath = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 50));

/** Starts the clients. Each client sends its next event after the answer to the previous event. */
export const startLoad = (options: LoadOptions): Load => {
  const agent = new Agent({ connections: options.clients, pipelining: 1 });
  const counts: Counts = { acknowledged: [], statuses: new Map(), broken: new Map(), slowest: 0 };
  const waiting = new Set<{ count: number; resolve: () => void }>();
  let stopped = false;

  const send = async (id: string): Promise<boolean> => {
    const started = performance.now();
    const answer = await agent.request({
      origin: options.url,
      path: `/stations/${options.station}/produce/single`,
      method: "POST",
      headers: { authorization: `Bearer ${options.token}`, "content-type": "application/json" },
      body: JSON.stringify({ id }),
      headersTimeout: 60_000,
    });
    await answer.body.dump();
    counts.slowest = Math.max(counts.slowest, performance.now() - started);
    if (answer.statusCode !== 200) count(counts.statuses, answer.statusCode);
    else counts.acknowledged.push(id);
    return answer.statusCode === 200;
  };

  const client = async (name: number): Promise<void> => {
    for (let sequence = 0; !stopped; sequence += 1) {
      try {
        if (!(await send(`${name}-${sequence}`))) await breath();
      } catch (error) {
        count(counts.broken, (error as { code?: string }).code ?? String(error));
        if (options.persistent !== true) return;
        await breath();
      }
      for (const waiter of waiting) if (counts.acknowledged.length >= waiter.count) waiter.resolve();
    }
  };

  const clients = Array.from({ length: options.clients }, (_, name) => client(name));
  return {
    acknowledged: (wanted) =>
      new Promise((resolve) => {
        if (counts.acknowledged.length >= wanted) resolve();
        else waiting.add({ count: wanted, resolve });
      }),
    stop: async () => {
      stopped = true;
      await Promise.all(clients);
      await agent.close();
      return counts;
    },
  };
};
