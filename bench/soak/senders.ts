/** One client for each API. It sends events with ids, and returns the ids that the answer acknowledged. */
import { createHmac } from "node:crypto";

export interface Target {
  readonly url: string;
  readonly station: string;
  /** Access token for the Memphis API. */
  readonly token: string;
  /** API key for the REST Proxy API. */
  readonly apiKey: string;
  readonly webhook: { readonly source: string; readonly secret: string };
}

export interface Sent {
  readonly status: number;
  readonly acknowledged: readonly string[];
}

/** Rejects if there is no answer. */
export type Send = (target: Target, ids: readonly string[]) => Promise<Sent>;

const json = { "content-type": "application/json" };
const event = (id: string): string => JSON.stringify({ id, padding: "x".repeat(id.length * 7) });
const bearer = ({ token }: Target) => ({ authorization: `Bearer ${token}` });
const key = ({ apiKey }: Target) => ({ "x-api-key": apiKey });

const TIMEOUT = 30_000;

interface Answer {
  readonly status: number;
  readonly body: string;
}

const post = async (url: string, headers: Record<string, string>, body: string): Promise<Answer> => {
  const signal = AbortSignal.timeout(TIMEOUT);
  const response = await fetch(url, { method: "POST", headers, body, signal });
  return { status: response.status, body: await response.text() };
};

const allOrNone = ({ status }: Answer, ids: readonly string[]): Sent => ({
  status,
  acknowledged: status >= 200 && status < 300 ? ids : [],
});

/** Reads an answer with one report per line, in the order of the events. */
const byLine = (
  { status, body }: Answer,
  ids: readonly string[],
  stored: (report: object) => boolean,
): Sent => {
  if (status !== 200) return { status, acknowledged: [] };
  // The last line of an incomplete answer is not a report.
  const reports = body.split("\n").filter((line) => line.endsWith("}"));
  return {
    status,
    acknowledged: ids.filter((_, i) => stored(JSON.parse(reports[i] ?? "{}") as object)),
  };
};

const v3 = ({ url, station }: Target): string => `${url}/v3/clusters/stationgate/topics/${station}/records`;
const v3Record = (id: string): string => `{"value":{"type":"JSON","data":${event(id)}}}`;
const isV3Stored = (report: object): boolean => "error_code" in report && report.error_code === 200;

const single: Send = async (target, [id = ""]) =>
  allOrNone(
    await post(
      `${target.url}/stations/${target.station}/produce/single`,
      { ...bearer(target), ...json },
      event(id),
    ),
    [id],
  );

const batch: Send = async (target, ids) =>
  allOrNone(
    await post(
      `${target.url}/stations/${target.station}/produce/batch`,
      { ...bearer(target), ...json },
      `[${ids.map(event).join(",")}]`,
    ),
    ids,
  );

const beacon: Send = async (target, ids) => {
  const events = ids.map((id) => `{"id":${JSON.stringify(id)},"event":${event(id)}}`);
  const body = `{"token":${JSON.stringify(target.token)},"events":[${events.join(",")}]}`;
  const url = `${target.url}/stations/${target.station}/produce/beacon`;
  return allOrNone(await post(url, { "content-type": "text/plain" }, body), ids);
};

const lines: Send = async (target, ids) => {
  const url = `${target.url}/stations/${target.station}/produce/stream`;
  const headers = { ...bearer(target), "content-type": "application/x-ndjson" };
  return byLine(await post(url, headers, ids.map(event).join("\n")), ids, (report) => "partition" in report);
};

const v2: Send = async (target, ids) => {
  const headers = { ...key(target), "content-type": "application/vnd.kafka.json.v2+json" };
  const records = ids.map((id) => `{"value":${event(id)}}`).join(",");
  const { status, body } = await post(
    `${target.url}/topics/${target.station}`,
    headers,
    `{"records":[${records}]}`,
  );
  if (status !== 200) return { status, acknowledged: [] };
  const { offsets } = JSON.parse(body) as {
    readonly offsets: readonly { readonly offset?: number | null }[];
  };
  return { status, acknowledged: ids.filter((_, i) => typeof offsets[i]?.offset === "number") };
};

const v3Single: Send = async (target, [id = ""]) =>
  byLine(await post(v3(target), { ...key(target), ...json }, v3Record(id)), [id], isV3Stored);

const v3Stream: Send = async (target, ids) =>
  byLine(await post(v3(target), { ...key(target), ...json }, ids.map(v3Record).join("\n")), ids, isV3Stored);

const webhook: Send = async (target, [id = ""]) => {
  const body = event(id);
  const signature = createHmac("sha256", target.webhook.secret).update(body).digest("hex");
  const headers = {
    ...json,
    "x-github-event": "push",
    "x-github-delivery": id,
    "x-hub-signature-256": `sha256=${signature}`,
  };
  return allOrNone(await post(`${target.url}/webhooks/${target.webhook.source}`, headers, body), [id]);
};

const cloudEvent: Send = async (target, [id = ""]) => {
  const headers = { ...bearer(target), "content-type": "application/cloudevents+json" };
  const body = JSON.stringify({ specversion: "1.0", id, source: "/soak", type: "soak", data: { n: 1 } });
  return allOrNone(await post(`${target.url}/stations/${target.station}/produce/single`, headers, body), [
    id,
  ]);
};

export interface Sender {
  readonly send: Send;
  /** Number of events in one call. */
  readonly events: number;
}

export const SENDERS: Readonly<Record<string, Sender>> = {
  single: { send: single, events: 1 },
  batch: { send: batch, events: 5 },
  beacon: { send: beacon, events: 5 },
  lines: { send: lines, events: 5 },
  v2: { send: v2, events: 5 },
  "v3-single": { send: v3Single, events: 1 },
  "v3-stream": { send: v3Stream, events: 5 },
  webhook: { send: webhook, events: 1 },
  cloudevent: { send: cloudEvent, events: 1 },
};

/** Invalid calls, which the gateway must refuse. */
const BAD: readonly ((target: Target) => Promise<Answer>)[] = [
  (target) =>
    post(`${target.url}/stations/${target.station}/produce/single`, { ...bearer(target), ...json }, '{"id":'),
  (target) =>
    post(`${target.url}/stations/${target.station}/produce/batch`, { ...bearer(target), ...json }, "{}"),
  (target) =>
    post(`${target.url}/stations/${target.station}/produce/single`, json, event("without a credential")),
  (target) =>
    post(
      `${target.url}/stations/${target.station}/produce/single`,
      { ...bearer(target), ...json },
      "[".repeat(100_000),
    ),
  (target) =>
    post(
      `${target.url}/stations/${target.station}/produce/beacon`,
      { "content-type": "text/plain" },
      `{"token":"none","events":[${"1,".repeat(50_000)}1]}`,
    ),
  (target) =>
    post(
      `${target.url}/topics/${target.station}`,
      { ...key(target), "content-type": "application/vnd.kafka.json.v2+json" },
      '{"records":[{"valu":1}]}',
    ),
  (target) =>
    post(
      `${target.url}/webhooks/${target.webhook.source}`,
      { ...json, "x-hub-signature-256": "sha256=0" },
      "{}",
    ),
  (target) => post(`${target.url}/auth/authenticate`, json, '{"username":"root","connection_token":"wrong"}'),
];

/** Sends the next invalid call. Resolves with the status. */
export const sendBad = async (target: Target, turn: number): Promise<number> =>
  (await (BAD[turn % BAD.length] ?? single)(target, [])).status;
