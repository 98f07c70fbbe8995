/** Reads of one group over HTTP, in the two APIs. The client needs little CPU time: it counts events without parsing them. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Dispatcher } from "undici";
import type { BenchGateway } from "../targets/gateway.ts";

interface Answer {
  readonly status: number;
  readonly body: Buffer;
}

/** Sends a request to the gateway, with the credential of its reader. */
export type Send = (
  method: "GET" | "POST" | "DELETE",
  path: string,
  body?: object,
  type?: string,
) => Promise<Answer>;

export const sender = (gateway: BenchGateway, agent: Dispatcher): Send => {
  const { url: origin, authorization } = gateway;
  return async (method, path, body, type = "application/json") => {
    const answer = await agent.request({
      ...{ origin, path, method },
      headers: { authorization, ...(body && { "content-type": type }) },
      ...(body && { body: JSON.stringify(body) }),
    });
    return { status: answer.statusCode, body: Buffer.from(await answer.body.arrayBuffer()) };
  };
};

/** Rejects unless the answer is 2xx. */
const sendWell = async (send: Send, ...call: Parameters<Send>): Promise<Buffer> => {
  const { status, body } = await send(...call);
  if (status >= 200 && status < 300) return body;
  throw new Error(`${call[0]} ${call[1]} was answered ${status}: ${body.toString()}`);
};

const countOf = (body: Buffer, mark: string): number => {
  let count = 0;
  for (let at = body.indexOf(mark); at >= 0; at = body.indexOf(mark, at + mark.length)) count += 1;
  return count;
};

interface EventsRead {
  readonly count: number;
  readonly body: Buffer;
}

/** Reads the group's next events. */
export type Read = () => Promise<EventsRead>;

const readWith =
  (send: Send, mark: string, ...call: Parameters<Send>): Read =>
  async () => {
    const body = await sendWell(send, ...call);
    return { count: countOf(body, mark), body };
  };

export interface ReadOptions {
  readonly topic: string;
  readonly group: string;
  readonly events: number;
  readonly waitMs: number;
}

export const batchCall = ({ topic, group, events, waitMs }: ReadOptions) =>
  [
    "POST",
    `/stations/${topic}/consume/batch`,
    {
      consumer_name: "bench",
      consumer_group: group,
      batch_size: events,
      batch_max_wait_time_ms: waitMs,
    },
  ] as const;

export const batchRead = (send: Send, options: ReadOptions): Read =>
  readWith(send, '{"message":', ...batchCall(options));

const V2 = "application/vnd.kafka.v2+json";

/** Creates an instance that reads the topic. Returns its path. */
export const createInstance = async (
  send: Send,
  { topic, group }: Pick<ReadOptions, "topic" | "group">,
  name: string,
): Promise<string> => {
  const settings = { name, format: "json", "auto.offset.reset": "earliest" };
  await sendWell(send, "POST", `/consumers/${group}`, settings, V2);
  const instance = `/consumers/${group}/instances/${name}`;
  await sendWell(send, "POST", `${instance}/subscription`, { topics: [topic] }, V2);
  return instance;
};

/** `eventBytes`: key and value of one event. */
export const instanceRead = (
  send: Send,
  instance: string,
  { events, waitMs }: Pick<ReadOptions, "events" | "waitMs">,
  eventBytes: number,
): Read =>
  readWith(
    send,
    '{"topic":',
    "GET",
    `${instance}/records?timeout=${waitMs}&max_bytes=${events * eventBytes}`,
  );

/** The sum of a metric of the gateway over all labels. */
const metricOf = async ({ adminUrl, adminAuthorization }: BenchGateway, name: string): Promise<number> => {
  const answer = await fetch(`${adminUrl}/metrics`, { headers: { authorization: adminAuthorization } });
  const lines = (await answer.text()).matchAll(new RegExp(`^${name}(?:\\{.*\\})? (\\d+)`, "gm"));
  return [...lines].reduce((sum, [, value]) => sum + Number(value), 0);
};

/** Half of the slots of readers' groups. */
const SHARE = 30;

/** Resolves when a second gateway has its share of the readers' groups. */
export const untilShared = async (second: BenchGateway): Promise<void> => {
  while ((await metricOf(second, "stationgate_reading_homes_moved_total")) < SHARE) await sleep(200);
};

/** A new group whose home is this gateway, or another one. */
export const groupAt = async (
  home: "here" | "elsewhere",
  gateway: BenchGateway,
  send: Send,
  prefix: string,
): Promise<string> => {
  const forwarded = (): Promise<number> => metricOf(gateway, "stationgate_reading_forwarded_total");
  for (let n = 1; ; n += 1) {
    const group = `${prefix}-${n}`;
    const before = await forwarded();
    await send("GET", `/consumers/${group}/instances/none/assignments`);
    if ((await forwarded()) > before === (home === "elsewhere")) return group;
  }
};
