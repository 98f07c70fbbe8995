import { createServer, type AddressInfo, type Server, type Socket } from "node:net";
import type { HttpResult } from "../../../../src/delivery/engine/delivery-plan.ts";
import {
  createHttpClient,
  type HttpClient,
  type HttpClientOptions,
} from "../../../../src/delivery/engine/http-client/http-client.ts";
import { createTargets } from "../../../../src/delivery/engine/targets.ts";
import { createFakeClock } from "../../../support/fake-clock.ts";
import { startHttpSink, type HttpSink } from "../../../support/http-sink.ts";

let sink: HttpSink;
const clients: HttpClient[] = [];

const clientWith = (options: Partial<HttpClientOptions> = {}): HttpClient => {
  const client = createHttpClient({
    targets: createTargets(["127.0.0.0/8"]),
    clock: createFakeClock(),
    connectTimeoutMs: 1000,
    readTimeoutMs: 0,
    ...options,
  });
  clients.push(client);
  return client;
};

const send = (client: HttpClient, origin = sink.url): Promise<HttpResult> =>
  client.send({ origin, path: "/", method: "POST", headers: ["X-A", "b"], body: Buffer.from("body") });

beforeEach(async () => {
  sink = await startHttpSink();
});

afterEach(async () => {
  await Promise.all(clients.splice(0).map((client) => client.close()));
  await sink.close();
});

describe("an answer", () => {
  it("has a status, Retry-After and a body", async () => {
    sink.answer(() => ({ status: 429, headers: { "retry-after": "7" }, body: "later" }));

    expect(await send(clientWith())).toStrictEqual({
      status: 429,
      reason: "Too Many Requests",
      retryAfter: "7",
      body: Buffer.from("later"),
    });
  });

  it("is kept up to 64 KiB", async () => {
    sink.answer(() => ({ status: 200, body: "x".repeat(1024 * 1024) }));
    const result = await send(clientWith());

    expect("body" in result && result.body.length).toBe(64 * 1024);
  });

  it("after the read timeout is lost", async () => {
    const clock = createFakeClock();
    sink.answer(() => "hang");
    const sent = send(clientWith({ clock, readTimeoutMs: 2500 }));
    await sink.received(1);
    clock.advance(2500);

    expect(await sent).toStrictEqual({ kind: "lost", error: "No answer within 2500 ms" });
    expect(sink.requests).toHaveLength(1);
  });

  it("is lost if the connection breaks before its head", async () => {
    sink.answer(() => "drop");

    expect(await send(clientWith())).toMatchObject({ kind: "lost" });
    expect(sink.requests).toHaveLength(1);
  });
});

describe("an answer with a truncated body", () => {
  let server: Server;
  const sockets: Socket[] = [];

  afterEach(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });

  it("is lost", async () => {
    server = createServer((socket) => {
      sockets.push(socket);
      socket.once("data", () => {
        socket.end('HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{"retry":false}');
      });
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as AddressInfo;

    expect(await send(clientWith(), `http://127.0.0.1:${port}`)).toMatchObject({ kind: "lost" });
  });
});

describe("a connection", () => {
  it("is reused", async () => {
    const client = clientWith();
    await send(client);
    await send(client);

    expect(sink.requests[1]?.from).toBe(sink.requests[0]?.from);
  });

  it("without a listener means that the endpoint is down", async () => {
    const closed = await startHttpSink();
    await closed.close();

    expect(await send(clientWith(), closed.url)).toMatchObject({
      kind: "unreachable",
      error: expect.stringContaining("ECONNREFUSED") as string,
    });
  });

  it.each(["127.0.0.1", "localhost", "[::1]", "2130706433", "0x7f.1"])(
    "to %s is refused unless it is allowed",
    async (host) => {
      const client = clientWith({ targets: createTargets([]) });
      const { origin } = new URL(`http://${host}:${sink.port}`);

      expect(await send(client, origin)).toMatchObject({
        kind: "forbidden",
        error: expect.stringContaining("delivery.allowTargets") as string,
      });
      expect(sink.requests).toHaveLength(0);
    },
  );
});
