/**
 * The endpoint of the connectors: answers each request after a delay, and checks the order. A request has one event or an
 * array of events. Argument: the delay in milliseconds. `GET /` returns the counts since the last `DELETE /`.
 */
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import type { SinkReport } from "../targets/sink.ts";

const delay = Number(process.argv[2]);
const done = JSON.stringify({ retry: false });

interface Event {
  readonly key: string;
  readonly n: number;
}

const emptyReport = () => ({ received: 0, disordered: 0, firstAt: 0, lastAt: 0 }) satisfies SinkReport;
let report = emptyReport();
let latest = new Map<string, number>();

const textOf = async (request: IncomingMessage): Promise<string> => {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
};

/** The events of a key are numbered. An event with another number than the next one is out of order or a duplicate. */
const receive = ({ key, n }: Event): void => {
  if (n !== (latest.get(key) ?? -1) + 1) report.disordered++;
  latest.set(key, n);
  report.lastAt = performance.now();
  if (report.received++ === 0) report.firstAt = report.lastAt;
};

const answer = async (request: IncomingMessage): Promise<string> => {
  if (request.method === "GET") return JSON.stringify(report);
  if (request.method === "DELETE") {
    report = emptyReport();
    latest = new Map();
    return done;
  }
  const body = JSON.parse(await textOf(request)) as Event | readonly Event[];
  for (const event of [body].flat()) receive(event);
  if (delay > 0) await sleep(delay);
  return done;
};

const server = createServer((request, response) => {
  void answer(request).then((text) => {
    response.writeHead(200, { "content-type": "application/json" }).end(text);
  });
});
server.listen(0, "127.0.0.1", () => {
  process.stdout.write(`${JSON.stringify({ port: (server.address() as AddressInfo).port })}\n`);
});
