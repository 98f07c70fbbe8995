/** Requests that a client sends before it has the answers to those before them. */
import { createHttpServer, type HttpServer } from "../../src/http/server.ts";
import { openRaw, type RawConnection } from "./raw.ts";
import { slowRoute } from "./slow-route.ts";
import { createTestGateway, type TestGateway } from "./support.ts";

let gateway: TestGateway;
let server: HttpServer;
let port: number;
let slow: ReturnType<typeof slowRoute>;

const start = async (memoryBytes?: number): Promise<void> => {
  slow = slowRoute();
  gateway = await createTestGateway({
    routes: [slow.route],
    ...(memoryBytes === undefined ? {} : { memoryBytes }),
  });
  const limits = {
    keepAliveTimeout: 75_000,
    headersTimeout: 20_000,
    maxHeaderSize: 16 * 1024,
    maxConnections: 0,
    backlog: 16,
  };
  server = createHttpServer(gateway.app, limits, gateway.memory);
  ({ port } = await server.listen(0, "127.0.0.1"));
};

afterEach(async () => {
  await server.drain({ graceMs: 1, idleMs: 1 });
  await gateway.consumers.close();
});

const SLOW = "GET /slow HTTP/1.1\r\nHost: x\r\n\r\n";
const HEALTH = "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n";

const counted = (text: string, word: string): number => text.split(word).length - 1;

const used = async (isRight: (bytes: number) => boolean): Promise<void> => {
  while (!isRight(gateway.memory.usedBytes)) await new Promise(setImmediate);
};

/** That many requests of a connection are worked on at the same time. */
const ACTIVE = 8;

it("begins a request beyond the first few when an answer has left", async () => {
  await start();
  const { socket, until } = await openRaw(port);
  socket.write(SLOW.repeat(ACTIVE + 2));
  await slow.askedTimes(ACTIVE);
  const waiting = gateway.memory.usedBytes;
  expect(waiting).toBeGreaterThan(0);
  slow.answer();
  await slow.askedTimes(ACTIVE + 1);
  expect(gateway.memory.usedBytes).toBe(waiting / 2);
  slow.answer();
  await slow.askedTimes(ACTIVE + 2);
  expect(gateway.memory.usedBytes).toBe(0);
  await until("slow answer");
  socket.destroy();
});

it("answers all of a long pipeline, in order", async () => {
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

it("answers the good requests before the rubbish behind them", async () => {
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

it("gives the memory back when the client leaves", async () => {
  await start();
  const { socket } = await openRaw(port);
  socket.write(SLOW.repeat(ACTIVE) + HEALTH.repeat(10));
  await used((bytes) => bytes > 0);
  socket.destroy();
  await used((bytes) => bytes === 0);
  expect(gateway.memory.usedBytes).toBe(0);
});

/** A quarter of the budget is for requests that wait: ten of them. */
const TEN_REQUESTS = 4 * 60 * 1024;

it("ends a pipeline that needs more memory than there is with 503", async () => {
  await start(TEN_REQUESTS);
  const { socket, closed } = await openRaw(port);
  socket.write(SLOW + HEALTH.repeat(ACTIVE - 1 + 11));
  await slow.asked;
  slow.answer();
  const received = await closed();
  expect(counted(received, '{"status":"ok"}')).toBe(ACTIVE - 1 + 10);
  expect(received).toContain("503 Service Unavailable");
  expect(received).toContain("Retry-After: 1");
});

it("cuts the connection whose answers have not left for the longest time", async () => {
  await start(TEN_REQUESTS);
  const lines: RawConnection[] = [];
  for (let n = 1; n <= 2; n++) {
    const line = await openRaw(port);
    line.socket.write(SLOW.repeat(ACTIVE) + HEALTH.repeat(5));
    await slow.askedTimes(n * ACTIVE);
    await used((bytes) => bytes === n * 5 * 6 * 1024);
    lines.push(line);
  }
  const ended = lines[0]?.closed();
  const third = await openRaw(port);
  third.socket.write(SLOW.repeat(ACTIVE) + HEALTH.repeat(5));
  await ended;
  expect(lines[1]?.socket.destroyed).toBe(false);
  for (const { socket } of [...lines, third]) socket.destroy();
});
