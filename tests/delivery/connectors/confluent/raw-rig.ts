/** A runner whose endpoint keeps the bytes of each request, and configurations of Confluent's sinks. */
import type { RecordHeader } from "../../../../src/broker/broker.ts";
import { startRawEndpoint, type RawEndpoint } from "../../../support/raw-endpoint.ts";
import { createRig, TOPIC, type Rig } from "../../rig.ts";

export const OK = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
export const NOT_FOUND = "HTTP/1.1 404 Not Found\r\ncontent-length: 1\r\n\r\nC";
export const DOWN = "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n";

export const JSON_CONVERTER = {
  "value.converter": "org.apache.kafka.connect.json.JsonConverter",
  "value.converter.schemas.enable": "false",
};

export type Config = Readonly<Record<string, string>>;

export let rig: Rig;
export let endpoint: RawEndpoint;
let arrived: (() => void)[] = [];

/** Answers in this order; the last answer repeats. */
export const start = async (
  answers: readonly string[] = [OK],
  clock?: Parameters<typeof createRig>[0],
): Promise<void> => {
  arrived = [];
  rig = await createRig(clock);
  endpoint = await startRawEndpoint((socket, { index }) => {
    socket.write(answers[Math.min(index, answers.length - 1)] ?? OK);
    for (const notify of arrived) notify();
  });
};

export const stop = async (): Promise<void> => {
  await rig.close();
  await endpoint.close();
};

export const received = (count: number): Promise<void> =>
  new Promise((resolve) => {
    const check = (): void => {
      if (endpoint.requests.length >= count) resolve();
    };
    arrived.push(check);
    check();
  });

interface Sent {
  readonly value: string | null;
  readonly key?: string;
  readonly headers?: readonly RecordHeader[];
  readonly partition?: number;
}

export const produce = async (...records: readonly Sent[]): Promise<void> => {
  await rig.broker.append(
    TOPIC,
    records.map(({ value, key, headers = [], partition = 0 }) => ({
      key: key === undefined ? null : Buffer.from(key),
      value: value === null ? null : Buffer.from(value),
      headers,
      timestamp: 1000,
      partition,
    })),
  );
};

export const confluent = (config: Config = {}): Record<string, string> => ({
  "connector.class": "io.confluent.connect.http.HttpSinkConnector",
  "tasks.max": "1",
  "http.api.url": `${endpoint.url}/api/messages`,
  "value.converter": "org.apache.kafka.connect.storage.StringConverter",
  "confluent.topic.bootstrap.servers": "localhost:9092",
  "confluent.topic.replication.factor": "1",
  ...config,
});

/** The request without the lines that the HTTP client writes for each request. */
export const request = (
  line: string,
  headers: readonly string[],
  body: string,
  length = Buffer.byteLength(body),
): string =>
  [
    `${line} HTTP/1.1`,
    `host: 127.0.0.1:${endpoint.port}`,
    "connection: keep-alive",
    ...headers,
    ...(line.startsWith("DELETE") ? [] : [`content-length: ${length}`]),
    "",
    body,
  ].join("\r\n");

export const TEXT = "Content-Type: text/plain; charset=UTF-8";
export const JSON_TYPE = "Content-Type: application/json";

/** The endpoint reads Latin-1, and the requests are UTF-8. */
export const texts = (): readonly string[] =>
  endpoint.requests.map(({ text }) => Buffer.from(text, "latin1").toString());
export const bodies = (): readonly string[] =>
  texts().map((text) => text.slice(text.indexOf("\r\n\r\n") + 4));
export const lines = (): readonly string[] => texts().map((text) => text.slice(0, text.indexOf(" HTTP/1.1")));
