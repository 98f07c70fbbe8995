/** Calls of an operator (`/connectors`) and of a producer to the real program. */
import type { HttpSink } from "./http-sink.ts";
import { ADMIN_TOKEN, signIn, type Gateway } from "./gateway.ts";

export interface Delivered {
  readonly at: number;
  readonly partition: number;
  readonly offset: number;
  /** X-B3-TraceId. */
  readonly id: string;
  readonly body: string;
}

/** The requests of the sink, each with the record that it delivers. */
export const delivered = (sink: HttpSink): readonly Delivered[] =>
  sink.requests.map(({ at, headers, body }) => {
    const [, partition, offset] = /partition=(\d+)\|offset=(\d+)/.exec(String(headers["x-b3-info"])) ?? [];
    return {
      at,
      partition: Number(partition),
      offset: Number(offset),
      id: String(headers["x-b3-traceid"]),
      body,
    };
  });

export const admin = async (
  gateway: Gateway,
  method: string,
  path: string,
  body?: object,
): Promise<unknown> => {
  const answer = await fetch(`${gateway.adminUrl}${path}`, {
    method,
    headers: { authorization: `Bearer ${ADMIN_TOKEN}`, "content-type": "application/json" },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  const text = await answer.text();
  if (!answer.ok) throw new Error(`${method} ${path} was answered ${answer.status}: ${text}`);
  return text === "" ? undefined : (JSON.parse(text) as unknown);
};

export const createConnector = (
  gateway: Gateway,
  name: string,
  { sink, topic, ...config }: { readonly sink: HttpSink; readonly topic: string } & Record<string, unknown>,
): Promise<unknown> =>
  admin(gateway, "POST", "/connectors", {
    name,
    config: { topics: topic, "callback.request.url": sink.url, "callback.request.method": "POST", ...config },
  });

/** Stores the events in order with one request. */
export const produceBatch = async (
  gateway: Gateway,
  station: string,
  events: readonly object[],
): Promise<void> => {
  const token = await signIn(gateway);
  const answer = await fetch(`${gateway.url}/stations/${station}/produce/batch`, {
    method: "POST",
    headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
    body: JSON.stringify(events),
  });
  if (answer.status !== 200) throw new Error(`produce was answered ${answer.status}: ${await answer.text()}`);
};

/** Settings that allow endpoints on loopback, and take the record's key from the event's `key`. */
export const deliverySettings = (station: string, partitions: number): Record<string, unknown> => ({
  delivery: { allowTargets: ["127.0.0.0/8"] },
  stations: [{ name: station, partitions, key: "/key" }],
});
