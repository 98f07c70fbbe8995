import { once } from "node:events";
import { createServer as createHttps } from "node:https";
import { mkdtemp } from "node:fs/promises";
import { connect, createServer, type AddressInfo, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { DeliveryRequest } from "../../../../src/delivery/engine/delivery-plan.ts";
import {
  createHttpClient,
  type HttpClient,
  type HttpClientOptions,
} from "../../../../src/delivery/engine/http-client/http-client.ts";
import { afterRedirect, hostAsWritten } from "../../../../src/delivery/engine/http-client/redirects.ts";
import { createTargets } from "../../../../src/delivery/engine/targets.ts";
import { createFakeClock } from "../../../support/fake-clock.ts";
import { startHttpSink, type HttpSink, type SinkAnswer } from "../../../support/http-sink.ts";
import { makeCertificates } from "../../../support/kafka/certificates.ts";

type Writable = Omit<DeliveryRequest, "followWithin"> & { followWithin?: string };

it.each([
  ["http://wallet.example/a", "wallet.example"],
  ["https://wallet.example:443/a", "wallet.example:443"],
  ["http://Wallet.Example:8080?a=b", "Wallet.Example:8080"],
  ["http://user:word@wallet.example/", "wallet.example"],
  ["http://[::1]:80/", "[::1]:80"],
  ["//other.example/a", "other.example"],
  ["\\\\other.example\\a", "other.example"],
  ["/a//b", undefined],
  ["a", undefined],
])("the host of %s is %s", (url, host) => {
  expect(hostAsWritten(url)).toBe(host);
});

describe("a redirect", () => {
  const requestTo = (url: string, path = "/in/event?a=b"): Writable => ({
    origin: new URL(url).origin,
    path,
    method: "POST",
    headers: ["Signature", "t=1, s=x"],
    body: Buffer.from("{}"),
    followWithin: hostAsWritten(url) ?? "",
  });

  it.each([
    ["http://w.example", "/other?c=d#e", "http://w.example", "/other?c=d"],
    ["http://w.example", "other", "http://w.example", "/in/other"],
    ["http://w.example", "?c", "http://w.example", "/in/event?c"],
    ["http://w.example", "http:/x.example/a", "http://w.example", "/x.example/a"],
    ["http://w.example", "http://W.example/a", "http://w.example", "/a"],
    ["http://w.example", "//w.example/a", "http://w.example", "/a"],
    ["http://w.example", "https://w.example/a", "https://w.example", "/a"],
    ["http://w.example:8080", "https://w.example:8080/a", "https://w.example:8080", "/a"],
    ["https://w.example:443", "https://w.example:443", "https://w.example", "/"],
    ["https://w.example:443", "/a", "https://w.example", "/a"],
    ["https://w.example", "https://user@w.example/a", "https://w.example", "/a"],
  ])("from %s to %s is followed", (from, location, origin, path) => {
    const request = requestTo(from);
    for (const status of [307, 308]) {
      expect(afterRedirect(request, { status, location, followed: 4 })).toStrictEqual({
        request: { ...request, origin, path },
      });
    }
  });

  it.each([
    ["http://w.example", "http://x.example/a", /^HTTP status 307 to another host, x\.example: .*w\.example/],
    ["http://w.example", "http://w.example:81/a", "to another host, w.example:81"],
    ["http://w.example:81", "http://w.example/a", "to another host, w.example"],
    ["https://w.example", "https://w.example:443/a", "to another host"],
    ["https://w.example:443", "https://w.example/a", "to another host"],
    ["http://w.example:80", "https://w.example/a", "to another host"],
    ["http://w.example", "//x.example/a", "to another host, x.example"],
    ["http://w.example", "/\\x.example/a", "to another host, x.example"],
    ["http://w.example", "https:x.example/a", "to another host, x.example"],
    ["http://w.example", "http://w.example@x.example/", "to another host, x.example"],
    ["http://w.example", "http://w.example.x.example/", "to another host"],
    ["https://w.example", "http://w.example/a", "from https to http"],
    ["http://w.example", "http://[", "without an http or https URL in Location"],
    ["http://w.example", "", "without an http or https URL in Location"],
    ["http://w.example", undefined, "without an http or https URL in Location"],
    ["http://w.example", "ftp://w.example/a", "without an http or https URL in Location"],
    ["http://w.example", "javascript:alert(1)", "without an http or https URL in Location"],
  ])("from %s to %s is a fault", (from, location, fault) => {
    expect(afterRedirect(requestTo(from), { status: 307, location, followed: 0 })).toStrictEqual({
      error: expect.stringMatching(fault) as string,
    });
  });

  it("is a fault after five redirects", () => {
    expect(
      afterRedirect(requestTo("http://w.example"), { status: 308, location: "/a", followed: 5 }),
    ).toStrictEqual({ error: "HTTP status 308 after 5 redirects, the maximum number" });
  });

  it.each([200, 300, 301, 302, 303, 304, 305, 306, 399, 400])("of status %d is an answer", (status) => {
    const redirect = { status, location: "/a", followed: 0 };
    expect(afterRedirect(requestTo("http://w.example"), redirect)).toBeUndefined();
  });

  it("is an answer if redirects are not followed", () => {
    const request = requestTo("http://w.example");
    delete request.followWithin;
    expect(afterRedirect(request, { status: 307, location: "/a", followed: 0 })).toBeUndefined();
  });
});

describe("the HTTP client", () => {
  const clients: HttpClient[] = [];
  let sink: HttpSink;

  const clientWith = (options: Partial<HttpClientOptions> = {}): HttpClient => {
    const client = createHttpClient({
      targets: createTargets(["127.0.0.0/8"]),
      clock: createFakeClock(),
      connectTimeoutMs: 1000,
      readTimeoutMs: 5000,
      ...options,
    });
    clients.push(client);
    return client;
  };

  const request = (url = sink.url): Writable => ({
    origin: url,
    path: "/0",
    method: "POST",
    headers: ["X-A", "b"],
    body: Buffer.from("body"),
    followWithin: hostAsWritten(url) ?? "",
  });

  const redirectTo = (status: number, index: number): SinkAnswer => ({
    status,
    headers: { location: `/${index + 1}` },
  });

  beforeEach(async () => {
    sink = await startHttpSink();
  });

  afterEach(async () => {
    await Promise.all(clients.splice(0).map((client) => client.close()));
    await sink.close();
  });

  it("follows up to five redirects with the same body and headers", async () => {
    sink.answer((_, index) => (index < 5 ? redirectTo(index % 2 === 0 ? 307 : 308, index) : { status: 204 }));

    expect(await clientWith().send(request())).toMatchObject({ status: 204 });
    expect(
      sink.requests.map(({ method, url, headers, body }) => [method, url, headers["x-a"], body]),
    ).toStrictEqual(Array.from({ length: 6 }, (_, index) => ["POST", `/${index}`, "b", "body"]));
  });

  it("fails at the sixth redirect", async () => {
    sink.answer((_, index) => redirectTo(307, index));

    expect(await clientWith().send(request())).toMatchObject({
      status: 307,
      error: "HTTP status 307 after 5 redirects, the maximum number",
    });
    expect(sink.requests).toHaveLength(6);
  });

  it("doesn't follow redirects of a connector's endpoint", async () => {
    sink.answer((_, index) => redirectTo(307, index));
    const plain = request();
    delete plain.followWithin;

    expect(await clientWith().send(plain)).toStrictEqual({
      status: 307,
      reason: "Temporary Redirect",
      retryAfter: undefined,
      body: Buffer.alloc(0),
    });
    expect(sink.requests).toHaveLength(1);
  });

  it("applies one time limit to all requests of an attempt", async () => {
    const clock = createFakeClock();
    sink.answer((_, index) => (index === 0 ? redirectTo(307, 0) : "hang"));
    const sent = clientWith({ clock }).send(request());
    await sink.received(1);
    clock.advance(3000);
    await sink.received(2);
    clock.advance(2000);

    expect(await sent).toStrictEqual({ kind: "lost", error: "No answer within 5000 ms" });
  });

  it("checks the address of each request", async () => {
    let checks = 0;
    const targets = createTargets(["127.0.0.0/8"]);
    // The second lookup of the name is refused. The closed connection causes the second lookup.
    const refusingSecond = { ...targets, allows: () => checks++ === 0 };
    sink.answer((_, index) => ({
      ...(redirectTo(307, index) as object),
      headers: { location: "/1", connection: "close" },
    }));

    expect(await clientWith({ targets: refusingSecond }).send(request())).toMatchObject({
      kind: "forbidden",
    });
    expect(sink.requests).toHaveLength(1);
  });

  describe("on a port with both HTTP and TLS", () => {
    const TLS_HANDSHAKE = 0x16;
    const servers: Server[] = [];
    const portOf = (server: Server): number => (server.address() as AddressInfo).port;

    afterEach(() => {
      for (const server of servers) server.close();
    });

    it("follows a redirect from http to https", async () => {
      const { server: identity } = await makeCertificates(await mkdtemp(join(tmpdir(), "redirects-")));
      const received: string[] = [];
      const secure = createHttps(identity, (incoming, response) => {
        incoming.resume();
        received.push(`${incoming.method ?? ""} ${incoming.url ?? ""} ${String(incoming.headers["x-a"])}`);
        response.writeHead(200, { connection: "close" }).end();
      });
      const both = createServer((socket) => {
        socket.once("data", (first) => {
          if (first[0] === TLS_HANDSHAKE) {
            const inner = connect(portOf(secure), "127.0.0.1");
            inner.write(first);
            socket.pipe(inner).pipe(socket);
          } else {
            const location = `https://127.0.0.1:${portOf(both)}/safe`;
            socket.end(`HTTP/1.1 308 \r\nlocation: ${location}\r\ncontent-length: 0\r\n\r\n`);
          }
        });
      });
      servers.push(secure, both);
      await Promise.all(servers.map((server) => once(server.listen(0, "127.0.0.1"), "listening")));
      const client = clientWith({ checkCertificate: false, connectTimeoutMs: 10_000 });

      expect(await client.send(request(`http://127.0.0.1:${portOf(both)}`))).toMatchObject({ status: 200 });
      expect(received).toStrictEqual(["POST /safe b"]);
    });
  });
});
