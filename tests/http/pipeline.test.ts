/** Pipelined requests: a client sends them before it has the answers to its earlier requests. */
import { openRaw, type RawConnection } from "./raw.ts";
import { slowRoute } from "./slow-route.ts";
import type { TestGateway } from "./support.ts";
import { openListener, type TestListener } from "./test-listener.ts";

let gateway: TestGateway;
let listener: TestListener;
let port: number;
let slow: ReturnType<typeof slowRoute>;
let ended: AbortController;

const start = async (memoryBytes?: number): Promise<void> => {
  slow = slowRoute();
  listener = await openListener({
    routes: [slow.route],
    ...(memoryBytes === undefined ? {} : { memoryBytes }),
  });
  ({ gateway, port } = listener);
};

beforeEach(() => {
  ended = new AbortController();
});

afterEach(async () => {
  ended.abort();
  await listener.close();
});

const SLOW = "GET /slow HTTP/1.1\r\nHost: x\r\n\r\n";
const HEALTH = "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n";

const counted = (text: string, word: string): number => text.split(word).length - 1;

const used = async (isRight: (bytes: number) => boolean): Promise<void> => {
  const { signal } = ended;
  while (!signal.aborted && !isRight(gateway.memory.usedBytes)) await new Promise(setImmediate);
};

/** Maximum number of requests of a connection in progress. */
const ACTIVE = 8;

it("starts requests above the limit when earlier answers have been sent", async () => {
  await start();
  const { socket, until } = await openRaw(port);
  socket.write(SLOW.repeat(ACTIVE + 2));
  await slow.askedTimes(ACTIVE);
  expect(gateway.memory.usedBytes).toBeGreaterThan(0);
  for (let n = 0; n < ACTIVE; n++) slow.answer();
  await slow.askedTimes(ACTIVE + 2);
  expect(gateway.memory.usedBytes).toBe(0);
  await until("slow answer");
  socket.destroy();
});

it("answers all requests of a long pipeline, in order", async () => {
  await start();
  const { socket, closed } = await openRaw(port);
  const last = HEALTH.replace("Host: x", "Host: x\r\nConnection: close");
  socket.write(SLOW + HEALTH.repeat(3000) + last);
  await slow.asked;
  slow.answer();
  const received = await closed();
  expect(counted(received, '{"status":"ok"}')).toBe(3001);
  expect(received.indexOf("slow answer")).toBeLessThan(received.indexOf('{"status":"ok"}'));
  expect(gateway.memory.usedBytes).toBe(0);
}, 30_000);

it("answers valid requests before malformed bytes", async () => {
  await start();
  const { socket, closed } = await openRaw(port);
  socket.write(`${SLOW}${HEALTH}rubbish\r\n\r\n`);
  await slow.asked;
  slow.answer();
  const received = await closed();
  expect(received).toContain("slow answer");
  expect(received).toContain('{"status":"ok"}');
  expect(received).not.toContain("400 Bad Request");
});

it("parses bodies after the parser has stopped, in chunks of any size", async () => {
  await start();
  const token = await gateway.token();
  const post = (body: string, ...headers: string[]): string =>
    [
      "POST /stations/plain/produce/single HTTP/1.1",
      "Host: x",
      `Authorization: Bearer ${token}`,
      "Content-Type: text/plain",
      ...headers,
      "",
      body,
    ].join("\r\n");
  const events = Array.from({ length: 60 }, (_, n) => `event-${n}`);
  const requests = events.map((event, n) => {
    if (n % 3 === 0) return HEALTH + post(event, `Content-Length: ${event.length}`);
    const offer = n % 5 === 0 ? ["Connection: Upgrade", "Upgrade: h2c"] : [];
    const chunk = `${event.length.toString(16)}\r\n${event}\r\n0\r\n\r\n`;
    return post(chunk, "Transfer-Encoding: chunked", ...offer);
  });
  const bytes = requests.join("") + HEALTH.replace("Host: x", "Host: x\r\nConnection: close");
  const { socket, closed } = await openRaw(port);
  socket.setNoDelay(true);
  for (let at = 0, step = 1; at < bytes.length; at += step, step = (step * 7 + 3) % 1500) {
    await new Promise((resolve) => socket.write(bytes.slice(at, at + step), resolve));
  }
  const received = await closed();
  expect(counted(received, '"success":true')).toBe(60);
  const stored = (await gateway.records("plain")).map(({ value }) => value?.toString());
  expect(stored.sort()).toEqual([...events].sort());
  expect(gateway.memory.usedBytes).toBe(0);
});

it("gives the memory back when the client leaves", async () => {
  await start();
  const { socket } = await openRaw(port);
  socket.write(SLOW.repeat(ACTIVE) + HEALTH.repeat(10));
  await slow.askedTimes(ACTIVE);
  await used((bytes) => bytes > 0);
  socket.destroy();
  // The server notices the closed connection when it can't send an answer.
  for (let n = 0; n < ACTIVE; n++) slow.answer();
  await used((bytes) => bytes === 0);
  expect(gateway.memory.usedBytes).toBe(0);
});

it("gives the memory of bodies back when the client leaves while their answers wait", async () => {
  await start();
  const { socket } = await openRaw(port);
  const head = [
    "POST /stations/plain/produce/single HTTP/1.1",
    "Host: x",
    `Authorization: Bearer ${await gateway.token()}`,
    "Content-Type: text/plain",
    "Content-Length: 5",
  ].join("\r\n");
  socket.write(SLOW + `${head}\r\n\r\nhello`.repeat(3));
  await used((bytes) => bytes === 15);
  socket.destroy();
  await used((bytes) => bytes === 0);
  expect(gateway.memory.usedBytes).toBe(0);
});

/** A quarter of the budget is for unparsed requests: each connection's bytes, and 64 KiB that it reads ahead. */
const TWO_CONNECTIONS = 4 * 150 * 1024;

it("ends a pipeline with 503 if the memory is used up", async () => {
  await start(4 * 10 * 1024);
  const { socket, closed } = await openRaw(port);
  socket.write(SLOW + HEALTH.repeat(ACTIVE + 3));
  await slow.asked;
  slow.answer();
  const received = await closed();
  expect(counted(received, '{"status":"ok"}')).toBe(ACTIVE - 1);
  expect(received).toContain("503 Service Unavailable");
  expect(received).toContain("Retry-After: 1");
  expect(received).toContain("limits.memory");
});

it("cuts the connection whose requests have waited longest if the memory is used up", async () => {
  await start(TWO_CONNECTIONS);
  const connections: RawConnection[] = [];
  const write = async (): Promise<RawConnection> => {
    const connection = await openRaw(port);
    connection.socket.write(SLOW.repeat(ACTIVE) + HEALTH.repeat(5));
    connections.push(connection);
    await slow.askedTimes(connections.length * ACTIVE);
    return connection;
  };
  const ended = (await write()).closed();
  const second = await write();
  await write();
  await ended;
  expect(second.socket.destroyed).toBe(false);
  for (const { socket } of connections) socket.destroy();
});

it("serves another connection while a hundred connections send long pipelines", async () => {
  await start();
  const floods = await Promise.all(Array.from({ length: 100 }, () => openRaw(port)));
  const other = await openRaw(port);
  for (const { socket } of floods) socket.write(HEALTH.repeat(200));
  await floods[0]?.until('{"status":"ok"}');
  other.socket.write(HEALTH);
  await other.until('{"status":"ok"}');
  // node accepts one connection in a turn, and this one is the last in the queue: about 100 turns have passed.
  const answers = floods.map(({ received }) => counted(received(), '{"status":"ok"}'));
  expect(Math.max(...answers)).toBeLessThan(200);
  for (const { socket } of [...floods, other]) socket.destroy();
});
