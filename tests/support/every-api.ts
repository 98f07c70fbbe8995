/**
 * A client of each API that produces. It sends numbered events of its own key to a station with `key: /key`, one call after the
 * other, and repeats a call until all of its events are stored.
 */
import { createHmac } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { Agent, request } from "undici";
import { createChanges } from "./changes.ts";

export const WEBHOOK_SECRET = "secret-of-the-webhooks-0123456789";

/** Between two calls of a client: the load is to be steady, not high. */
const PAUSE_MS = 20;

export interface Numbered {
  readonly key: string;
  readonly n: number;
}

export interface ApiReport {
  /** The highest number whose event was acknowledged. All lower ones were acknowledged before. */
  readonly acknowledged: number;
  /** What a failed try was answered: a status, or an error of one event, or how the connection broke. */
  readonly faults: ReadonlyMap<string, number>;
  /** The largest number of tries that one call needed. */
  readonly tries: number;
  /** The largest number of milliseconds from the first try of a call to its last answer. */
  readonly slowest: number;
}

interface Call {
  readonly path: string;
  readonly body: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** The faults in an answer with 2xx: the error of each event that is not stored. */
  readonly faultsIn?: (body: string) => readonly string[];
}

interface Api {
  readonly name: string;
  /** Number of events in a call. */
  readonly events: number;
  readonly call: (station: string, events: readonly Numbered[]) => Call;
}

const JSON_TYPE = { "content-type": "application/json" };
const V2_TYPE = { "content-type": "application/vnd.kafka.json.v2+json" };

const v3Record = (event: Numbered) => ({
  key: { type: "STRING", data: event.key },
  value: { type: "JSON", data: event },
});

const linesOf = (body: string): readonly string[] => body.split("\n").filter((line) => line !== "");

/** The errors of a batch. */
const errorsIn = (body: string): readonly string[] =>
  (JSON.parse(body) as { errors?: readonly string[] }).errors ?? [];

const APIS: readonly Api[] = [
  {
    name: "single",
    events: 1,
    call: (station, [event]) => ({
      path: `/stations/${station}/produce/single`,
      body: JSON.stringify(event),
      headers: JSON_TYPE,
    }),
  },
  {
    name: "batch",
    events: 5,
    call: (station, events) => ({
      path: `/stations/${station}/produce/batch`,
      body: JSON.stringify(events),
      headers: JSON_TYPE,
      faultsIn: errorsIn,
    }),
  },
  {
    name: "batch with an Idempotency-Key",
    events: 5,
    call: (station, events) => ({
      path: `/stations/${station}/produce/batch`,
      body: JSON.stringify(events),
      headers: { ...JSON_TYPE, "idempotency-key": `${station}-${events[0]?.n}` },
      faultsIn: errorsIn,
    }),
  },
  {
    name: "stream",
    events: 3,
    call: (station, events) => ({
      path: `/stations/${station}/produce/stream`,
      body: events.map((event) => `${JSON.stringify(event)}\n`).join(""),
      headers: { "content-type": "application/x-ndjson" },
      faultsIn: (body) =>
        linesOf(body)
          .map((line) => JSON.parse(line) as { status: string; code?: string })
          .filter(({ status }) => status !== "stored")
          .map(({ status, code }) => `${status} ${code}`),
    }),
  },
  {
    name: "beacon",
    events: 2,
    call: (station, events) => ({
      path: `/stations/${station}/produce/beacon`,
      body: JSON.stringify({ events: events.map((event) => ({ id: `${event.key}-${event.n}`, event })) }),
      headers: { "content-type": "text/plain" },
      faultsIn: errorsIn,
    }),
  },
  {
    name: "webhook",
    events: 1,
    call: (station, [event]) => {
      const body = JSON.stringify(event);
      return {
        path: `/webhooks/${station}`,
        body,
        headers: {
          ...JSON_TYPE,
          "x-github-delivery": `${event?.key}-${event?.n}`,
          "x-hub-signature-256": `sha256=${createHmac("sha256", WEBHOOK_SECRET).update(body).digest("hex")}`,
        },
      };
    },
  },
  {
    name: "v2",
    events: 3,
    call: (station, events) => ({
      path: `/topics/${station}`,
      body: JSON.stringify({ records: events.map((event) => ({ value: event })) }),
      headers: V2_TYPE,
      faultsIn: (body) =>
        (JSON.parse(body) as { offsets: readonly { error_code: number | null }[] }).offsets
          .filter(({ error_code: code }) => code !== null)
          .map(({ error_code: code }) => String(code)),
    }),
  },
  {
    name: "v3 records",
    events: 1,
    call: (station, events) => ({
      path: `/v3/clusters/any/topics/${station}/records`,
      body: events.map((event) => JSON.stringify(v3Record(event))).join(""),
      headers: JSON_TYPE,
      faultsIn: (body) => {
        const { error_code: code } = JSON.parse(body) as { error_code: number };
        return code === 200 ? [] : [String(code)];
      },
    }),
  },
  {
    name: "v3 records:batch",
    events: 4,
    call: (station, events) => ({
      path: `/v3/clusters/any/topics/${station}/records:batch`,
      body: JSON.stringify({ entries: events.map((event, i) => ({ id: String(i), ...v3Record(event) })) }),
      headers: JSON_TYPE,
      faultsIn: (body) =>
        (JSON.parse(body) as { failures: readonly { error_code: number }[] }).failures.map(
          ({ error_code: code }) => String(code),
        ),
    }),
  },
];

export const API_NAMES: readonly string[] = APIS.map(({ name }) => name);

export interface EveryApi {
  /** Resolves when each client has had this number of calls stored since now. */
  stored(calls: number): Promise<void>;
  /** Waits until every client has its last call stored. Every call returns the same report. */
  stop(): Promise<ReadonlyMap<string, ApiReport>>;
}

interface Client {
  readonly name: string;
  calls: number;
  acknowledged: number;
  readonly faults: Map<string, number>;
  tries: number;
  slowest: number;
}

/** Starts a client of each API. The key of its events is the API's name. The station is also the webhooks' source. */
export const startEveryApi = (options: {
  readonly url: string;
  readonly token: string;
  readonly station: string;
}): EveryApi => {
  const { url, token, station } = options;
  const agent = new Agent({ connections: APIS.length });
  const { changed, until } = createChanges();
  let isStopped = false;

  /** Resolves to the faults of one try, and to the seconds after which to try again. */
  const attempt = async (call: Call) => {
    try {
      const answer = await request(`${url}${call.path}`, {
        dispatcher: agent,
        method: "POST",
        headers: { authorization: `Bearer ${token}`, ...call.headers },
        body: call.body,
      });
      const body = await answer.body.text();
      const isSuccess = answer.statusCode >= 200 && answer.statusCode < 300;
      const faults = isSuccess ? (call.faultsIn?.(body) ?? []) : [String(answer.statusCode)];
      return { faults, retryAfter: Number(answer.headers["retry-after"] ?? 1) };
    } catch (error) {
      return { faults: [String((error as { code?: unknown }).code ?? error)], retryAfter: 1 };
    }
  };

  const run = async (api: Api, client: Client): Promise<void> => {
    while (!isStopped) {
      const events = Array.from({ length: api.events }, (_, i) => ({
        key: api.name,
        n: client.acknowledged + 1 + i,
      }));
      const call = api.call(station, events);
      const begun = performance.now();
      for (let tries = 1; ; tries += 1) {
        const { faults, retryAfter } = await attempt(call);
        client.tries = Math.max(client.tries, tries);
        for (const fault of faults) client.faults.set(fault, (client.faults.get(fault) ?? 0) + 1);
        if (faults.length === 0) break;
        await sleep(retryAfter * 1000);
      }
      client.slowest = Math.max(client.slowest, performance.now() - begun);
      client.acknowledged += api.events;
      client.calls += 1;
      changed();
      await sleep(PAUSE_MS);
    }
  };

  const clients = APIS.map((api): readonly [Api, Client] => [
    api,
    { name: api.name, calls: 0, acknowledged: 0, faults: new Map(), tries: 0, slowest: 0 },
  ]);
  const running = Promise.all(clients.map(([api, client]) => run(api, client)));
  let stopped: ReturnType<EveryApi["stop"]> | undefined;
  const stop = async (): ReturnType<EveryApi["stop"]> => {
    isStopped = true;
    await running;
    await agent.close();
    return new Map(clients.map(([{ name }, client]) => [name, client]));
  };
  return {
    stored: (calls) => {
      const wanted = new Map(clients.map(([, client]) => [client, client.calls + calls]));
      return until(() => [...wanted].every(([client, count]) => client.calls >= count));
    },
    stop: () => (stopped ??= stop()),
  };
};
