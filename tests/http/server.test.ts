import { once } from "node:events";
import { IncomingMessage, ServerResponse } from "node:http";
import { createServer, type AddressInfo } from "node:net";
import { gzipSync } from "node:zlib";
import type { Express } from "express";
import { createHttpServer, type HttpServer, type ServerLimits } from "../../src/http/server.ts";
import type { Pull } from "../../src/consume/waiting-pull.ts";
import { openRaw, type RawConnection } from "./raw.ts";
import { slowRoute } from "./slow-route.ts";
import { LIMIT, type TestGateway, type TestOptions } from "./support.ts";
import { LIMITS, openListener, type TestListener } from "./test-listener.ts";

let gateway: TestGateway;
let listener: TestListener;
let server: HttpServer;
let port: number;
let token: string;

const start = async (options: TestOptions = {}, limits: Partial<ServerLimits> = {}): Promise<void> => {
  listener = await openListener(options, limits);
  ({ gateway, server, port, token } = listener);
};

afterEach(() => listener.close());

const head = (...headers: string[]): string =>
  [
    "POST /stations/plain/produce/single HTTP/1.1",
    "Host: x",
    `Authorization: Bearer ${token}`,
    "Content-Type: text/plain",
    ...headers,
    "\r\n",
  ].join("\r\n");

const TOO_LARGE = '{"error":"Request Entity Too Large","success":false}';
const STORED = '{"error":null,"success":true}';

it("creates request and response objects with Express's prototypes", async () => {
  await start();
  const { app } = gateway;
  const seen: boolean[] = [];
  const listener = (request: IncomingMessage, response: ServerResponse): void => {
    seen.push(
      Object.getPrototypeOf(request) === watched.request,
      Object.getPrototypeOf(response) === watched.response,
      request instanceof IncomingMessage,
      response instanceof ServerResponse,
    );
    response.end();
  };
  const watched = Object.assign(listener, { request: app.request, response: app.response });
  const other = createHttpServer(watched as unknown as Express, LIMITS, gateway.memory);
  const address = await other.listen(0, "127.0.0.1");
  await (await fetch(`http://127.0.0.1:${address.port}/`)).text();
  await other.drain({ graceMs: 1, idleMs: 1 });
  expect(seen).toEqual([true, true, true, true]);
});

it("rejects if the address is in use", async () => {
  await start();
  const second = createHttpServer(gateway.app, LIMITS, gateway.memory);
  await expect(second.listen(port, "127.0.0.1")).rejects.toMatchObject({ code: "EADDRINUSE" });
});

describe("bodies", () => {
  it("accepts chunked bodies", async () => {
    await start();
    const { socket, until } = await openRaw(port);
    socket.write(`${head("Transfer-Encoding: chunked")}3\r\nabc\r\n3\r\ndef\r\n0\r\n\r\n`);
    await until(STORED);
    socket.destroy();
    expect((await gateway.records("plain"))[0]?.value?.toString()).toBe("abcdef");
  });

  it("refuses a length over the limit before the body arrives", async () => {
    await start();
    const { socket, closed } = await openRaw(port);
    socket.write(head(`Content-Length: ${LIMIT + 1}`));
    const answer = await closed();
    expect(answer).toContain("413 Payload Too Large");
    expect(answer).toContain("Connection: close");
    expect(answer).toContain(TOO_LARGE);
  });

  it("delivers the 413 to a client that reads only after it has sent everything", async () => {
    await start();
    const { socket, closed } = await openRaw(port);
    socket.pause();
    socket.write(head("Content-Length: 10000000"));
    await new Promise((resolve) => socket.write("x".repeat(10_000_000), resolve));
    socket.resume();
    expect(await closed()).toContain(TOO_LARGE);
  });

  it("refuses a chunked body at the limit", async () => {
    await start();
    const { socket, closed } = await openRaw(port);
    socket.write(head("Transfer-Encoding: chunked"));
    const chunk = `${LIMIT.toString(16)}\r\n${"x".repeat(LIMIT)}\r\n`;
    for (let n = 0; n < 5; n++) socket.write(chunk);
    expect(await closed()).toContain(TOO_LARGE);
    expect(await gateway.records("plain")).toEqual([]);
  });

  it("refuses a zip bomb at the limit", async () => {
    await start();
    const bomb = gzipSync(Buffer.alloc(50 * 1024 * 1024));
    expect(bomb.length).toBeLessThan(LIMIT);
    const before = process.memoryUsage().arrayBuffers;
    const answers = await Promise.all(
      Array.from({ length: 20 }, () =>
        fetch(`http://127.0.0.1:${port}/stations/plain/produce/single`, {
          method: "POST",
          headers: {
            authorization: `Bearer ${token}`,
            "content-type": "text/plain",
            "content-encoding": "gzip",
          },
          body: bomb,
        }),
      ),
    );
    expect(answers.map(({ status }) => status)).toEqual(Array(20).fill(413));
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(50 * 1024 * 1024);
  });

  it.each([
    ["Content-Length: 100", "only some of it"],
    ["Transfer-Encoding: chunked", "ff\r\nonly some of it"],
    ["Transfer-Encoding: chunked", "3\r\nabc\r\n"],
  ])("stores no event of a body that ends early (%s)", async (header, part) => {
    await start();
    const halfClosed = await openRaw(port);
    halfClosed.socket.end(head(header) + part);
    expect(await halfClosed.closed()).toContain("400 Bad Request");
    const cut = await openRaw(port);
    cut.socket.write(head(header) + part);
    cut.socket.destroy();
    await once(cut.socket, "close");
    const after = await fetch(`http://127.0.0.1:${port}/healthz`);
    expect(after.status).toBe(200);
    expect(await gateway.records("plain")).toEqual([]);
  });

  it("refuses a body that takes too long", async () => {
    await start({ bodyLimits: { maxBytes: LIMIT, timeoutMs: 20 } });
    const { socket, closed } = await openRaw(port);
    socket.write(`${head("Content-Length: 100")}some`);
    expect(await closed()).toContain("408 Request Timeout");
  });

  it("keeps the connection after it has refused a small body", async () => {
    await start();
    const { socket, until } = await openRaw(port);
    const stranger = head("Content-Length: 5").replace(token, "wrong");
    socket.write(`${stranger}hello`);
    await until("Unauthorized");
    socket.write(`${head("Content-Length: 5")}hello`);
    await until(STORED);
    socket.destroy();
  });

  it("sends 100 Continue only if it accepts the request", async () => {
    await start();
    const welcome = await openRaw(port);
    welcome.socket.write(head("Content-Length: 5", "Expect: 100-continue"));
    await welcome.until("100 Continue");
    welcome.socket.write("hello");
    await welcome.until(STORED);
    welcome.socket.destroy();
    const tooLarge = await openRaw(port);
    tooLarge.socket.write(head(`Content-Length: ${LIMIT + 1}`, "Expect: 100-continue"));
    const answer = await tooLarge.closed();
    expect(answer).toContain(TOO_LARGE);
    expect(answer).not.toContain("100 Continue");
  });
});

describe("consuming", () => {
  it("delivers an event again if the client had left when it arrived", async () => {
    await start();
    const body = '{"consumer_name":"c","batch_size":1}';
    const ask = [
      "POST /stations/plain/consume/batch HTTP/1.1",
      "Host: x",
      `Authorization: Bearer ${token}`,
      "Content-Type: application/json",
      `Content-Length: ${body.length}`,
      "",
      body,
    ].join("\r\n");
    const asking = async (): Promise<[RawConnection, Promise<Pull>]> => {
      const connection = await openRaw(port);
      const pulled = once(gateway.pulls, "pull") as Promise<[Promise<Pull>]>;
      connection.socket.write(ask);
      const [pulling] = await pulled;
      return [connection, pulling];
    };
    const [gone, forNobody] = await asking();
    gone.socket.destroy();
    await forNobody;
    const [patient] = await asking();
    await gateway.broker.append("plain", [{ key: null, value: Buffer.from("m"), headers: [], timestamp: 1 }]);
    expect(await patient.until('"message":"m"')).toContain("200 OK");
    patient.socket.destroy();
  });
});

describe("malformed input", () => {
  it.each([
    ["rubbish", "rubbish\r\n\r\n", "400 Bad Request", "REQUEST_MALFORMED"],
    [
      "two lengths",
      "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
      "400",
      "REQUEST_MALFORMED",
    ],
    [
      "length and chunks",
      "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
      "400",
      "REQUEST_MALFORMED",
    ],
    ["no host", "GET / HTTP/1.1\r\n\r\n", "400", ""],
    [
      "long headers",
      `GET / HTTP/1.1\r\nHost: x\r\nX-A: ${"a".repeat(20_000)}\r\n\r\n`,
      "431",
      "HEADERS_TOO_LARGE",
    ],
  ])("answers %s", async (_, bytes, status, code) => {
    await start();
    const { socket, closed } = await openRaw(port);
    socket.write(bytes);
    const answer = await closed();
    expect(answer).toContain(`HTTP/1.1 ${status}`);
    expect(answer).toContain(code);
  });

  it("closes connections that send no request", async () => {
    await start({}, { headersTimeout: 50 });
    const { socket, closed } = await openRaw(port);
    socket.write("GET / HTTP/1.1\r\nHost:");
    expect(await closed()).toContain("408 Request Timeout");
  });

  it("answers a valid request before malformed bytes", async () => {
    const { route, asked, answer } = slowRoute();
    await start({ routes: [route] });
    const { socket, closed } = await openRaw(port);
    socket.write("GET /slow HTTP/1.1\r\nHost: x\r\n\r\nrubbish\r\n\r\n");
    await asked;
    answer();
    const received = await closed();
    expect(received).toContain("slow answer");
    expect(received).not.toContain("400 Bad Request");
  });
});

describe("connections above server.maxConnections", () => {
  const GET = "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n";

  it("are refused with an answer, and accepted after other connections have closed", async () => {
    await start({}, { maxConnections: 1 });
    const first = await openRaw(port);
    first.socket.write(GET);
    await first.until('"ok"');
    const second = await openRaw(port);
    second.socket.write(GET.repeat(100));
    const answer = await second.closed();
    expect(answer).toMatch(/^HTTP\/1.1 503 [^]*Retry-After: 1[^]*server\.maxConnections/);
    expect(answer.match(/HTTP\/1.1/g)).toHaveLength(1);
    first.socket.write(GET.replace("Host: x", "Host: x\r\nConnection: close"));
    await first.closed();
    // The client sees the end of its connection before the gateway does.
    let answers = "";
    for (let tries = 0; tries < 100 && !answers.includes('"ok"'); tries++) {
      const next = await openRaw(port);
      next.socket.write(GET.replace("Host: x", "Host: x\r\nConnection: close"));
      answers += await next.closed();
    }
    expect(answers).toContain('"ok"');
  });

  it("are also refused if another process has accepted them", async () => {
    await start({}, { maxConnections: 1 });
    const door = createServer({ pauseOnConnect: true }, (socket) => {
      server.take(socket);
      socket.resume();
    });
    await once(door.listen(0, "127.0.0.1"), "listening");
    const { port: doorPort } = door.address() as AddressInfo;
    const first = await openRaw(doorPort);
    first.socket.write(GET);
    await first.until('"ok"');
    const second = await openRaw(doorPort);
    second.socket.write(GET);
    expect(await second.closed()).toContain("503 Service Unavailable");
    first.socket.destroy();
    door.close();
    await once(door, "close");
  });
});

describe("CONNECT", () => {
  it.each(["CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\nnoise", "CONNECT a:443 HTTP/1.0\r\n\r\n"])(
    "is refused with an answer (%#)",
    async (request) => {
      await start();
      const { socket, closed } = await openRaw(port);
      socket.write(request);
      const answer = await closed();
      expect(answer).toMatch(/^HTTP\/1.1 405 [^]*\r\nAllow: \r\n/);
      expect(answer).toContain('"code":"METHOD_NOT_ALLOWED"');
    },
  );

  it("is answered after the earlier requests", async () => {
    await start();
    const { socket, closed } = await openRaw(port);
    socket.write("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\nCONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n");
    expect(await closed()).toMatch(/^HTTP\/1.1 200[^]*HTTP\/1.1 405/);
  });
});
