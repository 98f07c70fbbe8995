/** Which bodies are cut or refused when the memory for bodies is used up. */
import { once } from "node:events";
import { gzipSync } from "node:zlib";
import { openRaw, type RawConnection } from "../../raw.ts";
import { BROWSER_KEY, PARTNER_KEY, LIMIT, type TestGateway } from "../../support.ts";
import { openListener, type TestListener } from "../../test-listener.ts";

const KILOBYTE = 1024;
const SLOW = 60 * KILOBYTE;

let gateway: TestGateway;
let listener: TestListener;
let port: number;
let token: string;

/** Clients without a secret credential have 100 KiB of 200. */
beforeEach(async () => {
  listener = await openListener({ memoryBytes: 200 * KILOBYTE });
  ({ gateway, port, token } = listener);
});

afterEach(() => listener.close());

/** Resolves when exactly `bytes` bytes are in use. */
const used = async (bytes: number): Promise<void> => {
  while (gateway.memory.usedBytes !== bytes) await new Promise(setImmediate);
};

/** Sends a body without its last byte. */
const sendMost = async (path: string, ...headers: string[]): Promise<RawConnection> => {
  const connection = await openRaw(port);
  const lines = [`POST ${path} HTTP/1.1`, "Host: x", "Content-Type: text/plain", `Content-Length: ${SLOW}`];
  connection.socket.write([...lines, ...headers, "\r\n"].join("\r\n") + " ".repeat(SLOW - 1));
  return connection;
};

const SINGLE = "/stations/plain/produce/single";
const slowBeacon = (): Promise<RawConnection> => sendMost("/stations/plain/produce/beacon");
const slowEvent = (): Promise<RawConnection> => sendMost(SINGLE, `Authorization: Bearer ${token}`);

const produce = (body: string | Buffer, headers: Record<string, string> = {}): Promise<Response> =>
  fetch(`http://127.0.0.1:${port}${SINGLE}`, {
    method: "POST",
    headers: { authorization: `Bearer ${token}`, "content-type": "text/plain", ...headers },
    body,
  });

const REFUSED = "503 Service Unavailable";

it("cuts the body of an unknown client that has been arriving for the longest time", async () => {
  const oldest = await slowBeacon();
  await used(SLOW - 1);
  const second = await slowBeacon();
  const answer = await oldest.closed();
  expect(answer).toContain(REFUSED);
  expect(answer).toMatch(/Retry-After: \d/);
  expect(answer).toContain('"success":false');
  await used(SLOW - 1);
  expect(second.received()).toBe("");
  second.socket.write("x");
  expect(await second.until("HTTP/1.1")).toContain("400 Bad Request");
  second.socket.destroy();
});

it("cuts no body while the share of unknown clients is large enough", async () => {
  const slow = await slowBeacon();
  await used(SLOW - 1);
  const url = `http://127.0.0.1:${port}/stations/plain/produce/beacon`;
  const other = await fetch(url, { method: "POST", headers: { "content-type": "text/plain" }, body: "{}" });
  expect(other.status).toBe(400);
  slow.socket.write("x");
  expect(await slow.until("HTTP/1.1")).toContain("400 Bad Request");
  slow.socket.destroy();
});

it("serves clients with a credential while unknown clients use all of their share", async () => {
  const slow = await Promise.all(Array.from({ length: 5 }, slowBeacon));
  await used(SLOW - 1);
  expect((await produce("x".repeat(LIMIT))).status).toBe(200);
  for (const { socket } of slow) socket.destroy();
});

it("treats a client with a browser key as unknown, because the key is public", async () => {
  const key = [`X-Api-Key: ${BROWSER_KEY.key}`, "Origin: https://shop.example"];
  const oldest = await sendMost(SINGLE, ...key);
  await used(SLOW - 1);
  const second = await sendMost(SINGLE, ...key);
  expect(await oldest.closed()).toContain(REFUSED);
  second.socket.destroy();
});

it("cuts the oldest slow body of the principal that holds the most, for another principal", async () => {
  const slow = [await slowEvent()];
  await used(SLOW - 1);
  slow.push(await slowEvent(), await slowEvent());
  await used(3 * (SLOW - 1));
  const other = await fetch(`http://127.0.0.1:${port}${SINGLE}`, {
    method: "POST",
    headers: { "x-api-key": PARTNER_KEY, "content-type": "text/plain" },
    body: "x".repeat(30 * KILOBYTE),
  });
  expect(other.status).toBe(200);
  expect(await slow[0]?.closed()).toContain(REFUSED);
  await used(2 * (SLOW - 1));
  for (const { socket, until } of slow.slice(1)) {
    socket.write("x");
    expect(await until("HTTP/1.1")).toContain("200 OK");
    socket.destroy();
  }
  await used(0);
});

it("refuses the newest body of the principal that holds the most", async () => {
  const slow = await Promise.all(Array.from({ length: 3 }, slowEvent));
  await used(3 * (SLOW - 1));
  const refused = await produce("x".repeat(30 * KILOBYTE));
  expect(refused.status).toBe(503);
  expect(Number(refused.headers.get("retry-after"))).toBeGreaterThan(0);
  expect(await refused.text()).toContain("limits.memory");
  for (const { socket, until } of slow) {
    socket.write("x");
    expect(await until("HTTP/1.1")).toContain("200 OK");
    socket.destroy();
  }
  expect((await produce("x".repeat(30 * KILOBYTE))).status).toBe(200);
});

it("gives the memory back after every kind of end", async () => {
  await produce("x".repeat(LIMIT));
  await produce("x".repeat(LIMIT + 1));
  await produce(gzipSync("x".repeat(LIMIT)), { "content-encoding": "gzip" });
  await produce(gzipSync("x".repeat(LIMIT + 1)), { "content-encoding": "gzip" });
  await produce("no gzip", { "content-encoding": "gzip" });
  await used(0);
  const { socket } = await slowEvent();
  await used(SLOW - 1);
  socket.destroy();
  await once(socket, "close");
  await used(0);
  expect(gateway.memory.usedBytes).toBe(0);
});

it("counts the maximum decoded size of a compressed body while it is decoded", async () => {
  const slow = await Promise.all(Array.from({ length: 3 }, slowEvent));
  await used(3 * (SLOW - 1));
  const bomb = await produce(gzipSync("x".repeat(LIMIT)), { "content-encoding": "gzip" });
  expect(bomb.status).toBe(503);
  for (const { socket } of slow) socket.destroy();
});

it("joins tiny chunks in their order", async () => {
  const { socket, until } = await openRaw(port);
  const lines = [`POST ${SINGLE} HTTP/1.1`, "Host: x", "Content-Type: text/plain"];
  const head = [...lines, `Authorization: Bearer ${token}`, "Transfer-Encoding: chunked", "\r\n"].join(
    "\r\n",
  );
  const chunks = Array.from({ length: 40_000 }, (_, n) => `1\r\n${n % 10}\r\n`);
  socket.write(`${head}${chunks.join("")}bb8\r\n${"x".repeat(3000)}\r\n1\r\ny\r\n0\r\n\r\n`);
  await until("200 OK");
  const [record] = await gateway.records("plain");
  expect(record?.value?.toString()).toBe(`${"0123456789".repeat(4000)}${"x".repeat(3000)}y`);
  socket.destroy();
});
