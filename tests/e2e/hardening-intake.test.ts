/** Attacks of unknown clients on the public listener with a heap of 320 MiB. Other clients are served meanwhile. */
import { connect, type Socket } from "node:net";
import { once } from "node:events";
import { gzipSync } from "node:zlib";
import { signIn, startGateway, type Gateway } from "../support/gateway.ts";
import { watchStrain } from "../support/health-delay.ts";

const BODY = 4 << 20;

let gateway: Gateway;

beforeAll(async () => {
  gateway = await startGateway({ nodeFlags: ["--max-old-space-size=320"] });
}, 60_000);

afterAll(() => gateway[Symbol.asyncDispose]());

const open = async (): Promise<Socket> => {
  const socket = connect(Number(new URL(gateway.url).port), "127.0.0.1");
  socket.on("error", () => undefined);
  await once(socket, "connect");
  return socket;
};

it("refuses a sign-in with a scope of a million elements within the limits of time and memory", async () => {
  const scope = { stations: new Array<number>(1_000_000).fill(7) };
  const body = gzipSync(JSON.stringify({ username: "root", scope }));
  const strain = await watchStrain(gateway);
  const headers = { "content-type": "application/json", "content-encoding": "gzip" };
  const answer = await fetch(`${gateway.url}/auth/authenticate`, { method: "POST", headers, body });
  const { delayMs, memoryMiB } = await strain.stop();
  expect(answer.status).toBe(413);
  expect(delayMs).toBeLessThan(300);
  expect(memoryMiB).toBeLessThan(150);
}, 60_000);

it("limits the total memory of a hundred slow bodies without credential", async () => {
  const token = await signIn(gateway);
  const strain = await watchStrain(gateway);
  const sockets = await Promise.all(Array.from({ length: 100 }, open));
  const part = Buffer.alloc(BODY - 1, " ");
  const head = `POST /stations/plain/produce/beacon HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\nContent-Length: ${BODY}\r\n\r\n`;
  await Promise.all(
    sockets.map(async (socket) => {
      socket.resume().write(head);
      await new Promise((resolve) => socket.once("close", resolve).write(part, resolve));
    }),
  );
  const known = await fetch(`${gateway.url}/stations/plain/produce/single`, {
    method: "POST",
    headers: { authorization: `Bearer ${token}`, "content-type": "text/plain" },
    body: "event",
  });
  const { memoryMiB } = await strain.stop();
  for (const socket of sockets) socket.destroy();
  expect(known.status).toBe(200);
  expect(memoryMiB).toBeLessThan(150);
}, 120_000);

it("reads pipelined requests only as fast as their answers are sent", async () => {
  // The first answer makes the page, which takes longer than 1,500 requests.
  await (await fetch(`${gateway.url}/docs`)).text();
  const socket = await open();
  socket.pause();
  const strain = await watchStrain(gateway);
  socket.write("GET /docs HTTP/1.1\r\nHost: x\r\n\r\n".repeat(1500));
  await (await fetch(`${gateway.url}/docs`)).text();
  const { delayMs, memoryMiB } = await strain.stop();
  socket.destroy();
  expect(delayMs).toBeLessThan(300);
  expect(memoryMiB).toBeLessThan(90);
}, 60_000);

/** Opens connections and sends `requests` requests on each. Resolves when all answers have come. */
const flood = async (connections: number, requests: number): Promise<void> => {
  const text = "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n".repeat(requests);
  const sockets = await Promise.all(Array.from({ length: connections }, open));
  await Promise.all(
    sockets.map(async (socket) => {
      let bytes = 0;
      let answerBytes = Infinity;
      const whole = new Promise<void>((resolve) => {
        socket.on("data", (chunk: Buffer) => {
          if (answerBytes === Infinity) answerBytes = lengthOfFirst(chunk);
          bytes += chunk.length;
          if (bytes >= answerBytes * requests) resolve();
        });
      });
      socket.write(text);
      await whole;
      socket.destroy();
    }),
  );
};

/** The length of the first answer. All answers of `/healthz` have the same length. */
const lengthOfFirst = (chunk: Buffer): number => {
  const end = '{"status":"ok"}';
  return chunk.indexOf(end) + end.length;
};

it("serves other clients while a hundred connections send 1,500 requests each", async () => {
  const strain = await watchStrain(gateway);
  await flood(100, 1500);
  const { delayMs, memoryMiB } = await strain.stop();
  expect(delayMs).toBeLessThan(300);
  expect(memoryMiB).toBeLessThan(150);
}, 120_000);
