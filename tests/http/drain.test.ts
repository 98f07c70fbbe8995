import { once } from "node:events";
import { Agent, createServer, request as httpRequest, type IncomingMessage } from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";
import { buffer, text } from "node:stream/consumers";
import { createConnectionCloser } from "../../src/http/drain.ts";
import type { HttpServer } from "../../src/http/server.ts";
import { openRaw } from "./raw.ts";
import { slowRoute } from "./slow-route.ts";
import type { TestGateway } from "./support.ts";
import { openListener } from "./test-listener.ts";

let gateway: TestGateway;
let server: HttpServer;
let port: number;
let slow: ReturnType<typeof slowRoute>;

beforeEach(async () => {
  slow = slowRoute();
  ({ gateway, server, port } = await openListener({ routes: [slow.route] }));
});

const LATER = { graceMs: 60_000, idleMs: 60_000 };
const SOON = { graceMs: 60_000, idleMs: 20 };
const get = (path: string): string => `GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`;
const OK = '{"status":"ok"}';

/** Resolves once the server has stopped accepting. */
const refused = async (): Promise<void> => {
  for (;;) {
    const socket = connect(port, "127.0.0.1");
    const outcome = await once(socket, "connect").catch((error: unknown) => error);
    socket.destroy();
    if ((outcome as { code?: string }).code === "ECONNREFUSED") return;
  }
};

it("answers requests in progress", async () => {
  const { socket, closed } = await openRaw(port);
  socket.write(get("/slow"));
  await slow.asked;
  const drained = server.drain(SOON);
  slow.answer();
  expect(await closed()).toContain("slow answer");
  await drained;
});

it("sends Connection: close with the answer of a request that was in progress", async () => {
  const { socket, closed } = await openRaw(port);
  socket.write(get("/slow"));
  await slow.asked;
  await server.stopAccepting();
  slow.answer();
  // Nothing else closes the connection: this is no drain.
  expect(await closed()).toMatch(/Connection: close[^]*slow answer/);
});

it("counts the idle time from the last answer", async () => {
  const unused = await openRaw(port);
  const { socket, until, closed } = await openRaw(port);
  // Pipelined, because another answer in progress would close its connection.
  socket.write(get("/slow") + get("/healthz"));
  await slow.asked;
  const idleMs = 200;
  const drained = server.drain({ graceMs: 60_000, idleMs });
  await unused.closed();
  slow.answer();
  await until(OK);
  const answered = performance.now();
  await closed();
  expect(performance.now() - answered).toBeGreaterThan(idleMs / 2);
  await drained;
});

it("answers all pipelined requests, and sends Connection: close only with the last answer", async () => {
  const { socket, closed } = await openRaw(port);
  socket.write(get("/slow") + get("/healthz"));
  await slow.asked;
  const drained = server.drain(LATER);
  await refused();
  socket.write(get("/slow") + get("/slow") + get("/readyz"));
  await slow.askedTimes(3);
  for (let n = 0; n < 3; n++) slow.answer();
  const received = await closed();
  expect(received.match(/slow answer/g)).toHaveLength(3);
  expect(received.split(OK)).toHaveLength(3);
  expect(received.match(/Connection: close/g)).toHaveLength(1);
  expect(received.lastIndexOf("HTTP/1.1 200")).toBeLessThan(received.indexOf("Connection: close"));
  await drained;
});

it("accepts one more request on an idle connection", async () => {
  const { socket, until, closed } = await openRaw(port);
  socket.write(get("/healthz"));
  const first = await until(OK);
  expect(first).toContain("Connection: keep-alive");
  const drained = server.drain(LATER);
  await refused();
  socket.write(get("/monitoring/status"));
  const both = await closed();
  expect(both.slice(first.length)).toContain("Connection: close");
  expect(both.slice(first.length)).toContain(OK);
  await drained;
});

it("closes idle and unused connections without a reset", async () => {
  const idle = await openRaw(port);
  idle.socket.write(get("/healthz"));
  await idle.until(OK);
  const unused = await openRaw(port);
  await server.drain(SOON);
  expect(await unused.closed()).toBe("");
  await idle.closed();
});

it("answers connections that wait in the operating system's queue when it begins", async () => {
  const sockets = Array.from({ length: 12 }, () => connect(port, "127.0.0.1"));
  const received = sockets.map((socket) => text(socket));
  await Promise.all(sockets.map((socket) => once(socket, "connect")));
  for (const socket of sockets) socket.write(get("/healthz"));
  await server.drain(SOON);
  for (const answer of await Promise.all(received)) expect(answer).toContain(OK);
});

it("does not count a stall of the event loop as idle time", async () => {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const ask = async (): Promise<string> => {
    const outgoing = httpRequest({ port, host: "127.0.0.1", agent, path: "/healthz" }).end();
    const [response] = (await once(outgoing, "response")) as [IncomingMessage];
    return text(response);
  };
  await ask();
  const drained = server.drain(SOON);
  await refused();
  const asked = ask();
  const until = performance.now() + 5 * SOON.idleMs;
  while (performance.now() < until);
  expect(await asked).toBe(OK);
  agent.destroy();
  await drained;
});

it("refuses new connections", async () => {
  await server.drain(SOON);
  await expect(openRaw(port)).rejects.toMatchObject({ code: "ECONNREFUSED" });
});

it("cuts the remaining connections after the grace period", async () => {
  const { socket } = await openRaw(port);
  socket.write(get("/slow"));
  await slow.asked;
  const gone = once(socket, "close");
  await server.drain({ graceMs: 10, idleMs: 5 });
  socket.end();
  await gone;
});

it("resets no connection under load", async () => {
  const agent = new Agent({ keepAlive: true, maxSockets: 32 });
  const token = await gateway.token();
  const answered = { count: 0 };
  const failures = new Set<unknown>();

  const produce = (): Promise<void> =>
    new Promise((resolve, reject) => {
      const headers = { authorization: `Bearer ${token}`, "content-type": "text/plain" };
      const path = "/stations/plain/produce/single";
      const outgoing = httpRequest({ port, host: "127.0.0.1", agent, method: "POST", path, headers });
      outgoing.on("error", reject);
      outgoing.on("response", (response: IncomingMessage) => {
        buffer(response).then(() => {
          answered.count += response.statusCode === 200 ? 1 : 0;
          resolve();
        }, reject);
      });
      outgoing.end("x".repeat(200));
    });

  const client = async (): Promise<void> => {
    for (;;) {
      try {
        await produce();
      } catch (error) {
        failures.add((error as NodeJS.ErrnoException).code);
        return;
      }
    }
  };

  const clients = Array.from({ length: 32 }, client);
  while (answered.count < 300) await new Promise(setImmediate);
  await server.drain({ graceMs: 20_000, idleMs: 200 });
  await Promise.all(clients);
  agent.destroy();
  expect([...failures]).toEqual(["ECONNREFUSED"]);
  expect(await gateway.records("plain")).toHaveLength(answered.count);
});

describe("the closer of some connections", () => {
  it("keeps one set of listeners for all its calls, and none when the connections are closed", async () => {
    const answering = createServer((_, response) => {
      response.writeHead(200).flushHeaders();
    });
    await once(answering.listen(0, "127.0.0.1"), "listening");
    const accepted = once(answering, "connection") as Promise<[Socket]>;
    const client = connect((answering.address() as AddressInfo).port, "127.0.0.1");
    client.write(get("/"));
    await once(client, "data");
    const [streaming] = await accepted;
    const listeners = (): number => answering.listenerCount("request") + streaming.listenerCount("close");
    const close = createConnectionCloser(answering, 20);
    const before = listeners();
    close([]);
    expect(listeners()).toBe(before);
    for (let n = 0; n < 20; n++) close([streaming]);
    expect(listeners()).toBe(before + 2);
    const closed = once(streaming, "close");
    client.destroy();
    await closed;
    expect(answering.listenerCount("request")).toBe(1);
    expect(answering.listenerCount("checkContinue")).toBe(0);
    await Promise.all([new Promise((resolve) => answering.close(resolve)), server.drain(SOON)]);
  });
});
