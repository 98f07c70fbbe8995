/** Clients of all APIs, which run concurrently until they are stopped, and the ids that the gateway acknowledged. */
import { Readable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { ADMIN_TOKEN } from "../../tests/support/gateway.ts";
import { SENDERS, sendBad, type Sender, type Target } from "./senders.ts";

export interface Traffic {
  /** Ids that the gateway acknowledged as stored. */
  readonly acknowledged: ReadonlySet<string>;
  readonly counts: {
    /** Events sent. */
    readonly sent: number;
    /** Bad calls that got 2xx. */
    readonly badAccepted: number;
    /** Records that the readers received. */
    readonly read: number;
  };
  /** Number of answers by status; 0: no answer. */
  readonly statuses: ReadonlyMap<number, number>;
  /** Stops the clients. Resolves when their last calls are answered. */
  stop(): Promise<void>;
}

export interface TrafficOptions {
  readonly target: Target;
  readonly adminUrl: string;
}

/** Milliseconds between two calls of a client. */
const PAUSE = 50;
const TIMEOUT = 30_000;

type Turn = (n: number) => Promise<number>;

const pulling =
  ({ target }: TrafficOptions, onRead: (records: number) => void): Turn =>
  async () => {
    const response = await fetch(`${target.url}/stations/${target.station}/consume/batch`, {
      method: "POST",
      headers: { authorization: `Bearer ${target.token}`, "content-type": "application/json" },
      body: JSON.stringify({
        consumer_name: "soak",
        consumer_group: "soak-reader",
        batch_size: 1000,
        batch_max_wait_time_ms: 500,
      }),
      signal: AbortSignal.timeout(TIMEOUT),
    });
    const body = await response.text();
    if (response.status === 200) onRead((JSON.parse(body) as readonly unknown[]).length);
    return response.status;
  };

/** Reads until the gateway ends the stream, or the traffic is stopped. */
const tailing =
  ({ target, adminUrl }: TrafficOptions, signal: AbortSignal, onRead: (records: number) => void): Turn =>
  async () => {
    const response = await fetch(`${adminUrl}/stations/${target.station}/tail`, {
      headers: { authorization: `Bearer ${ADMIN_TOKEN}` },
      signal,
    });
    const chunks: AsyncIterable<Uint8Array> = response.body ?? Readable.from([]);
    for await (const chunk of chunks) onRead(Buffer.from(chunk).toString().split("\ndata:").length - 1);
    return response.status;
  };

export const startTraffic = (options: TrafficOptions): Traffic => {
  const { target } = options;
  const acknowledged = new Set<string>();
  const statuses = new Map<number, number>();
  const stopped = new AbortController();
  const counts = { sent: 0, badAccepted: 0, read: 0 };

  const loop = async (turn: Turn): Promise<void> => {
    for (let n = 0; !stopped.signal.aborted; n += 1) {
      const status = await turn(n).catch(() => 0);
      statuses.set(status, (statuses.get(status) ?? 0) + 1);
      await sleep(PAUSE);
    }
  };

  const producing =
    (name: string, { send, events }: Sender): Turn =>
    async (n) => {
      const ids = Array.from({ length: events }, (_, i) => `${name}-${n}-${i}`);
      counts.sent += ids.length;
      const answer = await send(target, ids);
      for (const id of answer.acknowledged) acknowledged.add(id);
      return answer.status;
    };

  const misbehaving: Turn = async (n) => {
    const status = await sendBad(target, n);
    if (status >= 200 && status < 300) counts.badAccepted += 1;
    return status;
  };

  const onRead = (records: number): void => void (counts.read += records);
  const turns = [
    ...Object.entries(SENDERS).map(([name, sender]) => producing(name, sender)),
    misbehaving,
    pulling(options, onRead),
    tailing(options, stopped.signal, onRead),
  ];
  const clients = turns.map(loop);
  return {
    acknowledged,
    statuses,
    counts,
    stop: async () => {
      stopped.abort();
      await Promise.all(clients);
    },
  };
};
