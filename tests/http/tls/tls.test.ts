/** TLS of a listener without client certificates. */
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import type { ConnectionOptions, TLSSocket } from "node:tls";
import type { ServerLimits } from "../../../src/http/server.ts";
import type { PemFiles } from "../../../src/http/tls/secure-context.ts";
import { type Authority, createAuthority, type Identity } from "../../support/authority.ts";
import { openRaw, openTls, type RawConnection } from "../raw.ts";
import { openListener, type TestListener } from "../test-listener.ts";
import { pemOf } from "./pems.ts";

let authority: Authority;
let identity: Identity;
let listener: TestListener | undefined;

beforeAll(async () => {
  authority = await createAuthority();
  identity = await authority.server();
});

afterEach(async () => {
  await listener?.close();
  listener = undefined;
});

afterAll(() => authority[Symbol.asyncDispose]());

const start = async (
  pem: Partial<PemFiles> = {},
  limits: Partial<ServerLimits> = {},
): Promise<TestListener> => {
  listener = await openListener({}, limits, { pem: pemOf(identity, pem) });
  return listener;
};

const open = (options: ConnectionOptions = {}): Promise<RawConnection<TLSSocket>> =>
  openTls(listener?.port ?? 0, { ca: authority.cert, ...options });

const PROBE = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n";

const produce = (token: string): string =>
  [
    "POST /stations/plain/produce/single HTTP/1.1",
    ...["Host: localhost", `Authorization: Bearer ${token}`, "Content-Type: text/plain", "Content-Length: 3"],
    "\r\nabc",
  ].join("\r\n");

/** Resolves also if the connection is reset, which `once` would reject: the gateway may close it before it has read all bytes. */
const closed = (socket: Socket): Promise<void> =>
  new Promise((resolve) => {
    socket.once("close", () => {
      resolve();
    });
  });

describe.each(["TLSv1.2", "TLSv1.3"] as const)("%s", (version) => {
  it("answers requests of a connection", async () => {
    const { token, gateway } = await start();
    const { socket, until } = await open({ minVersion: version, maxVersion: version });
    socket.write(produce(token));
    expect(await until('"success":true')).toContain("HTTP/1.1 200");
    socket.write(PROBE);
    await until('{"status":"ok"}');
    socket.destroy();
    expect(socket.getProtocol() ?? version).toBe(version);
    expect((await gateway.records("plain"))[0]?.value?.toString()).toBe("abc");
  });

  it("resumes a session without client certificates", async () => {
    await start();
    const options = { minVersion: version, maxVersion: version };
    const first = await open(options);
    const sessions: Buffer[] = [];
    first.socket.on("session", (session: Buffer) => void sessions.push(session));
    first.socket.write(PROBE);
    await first.until("ok");
    // TLS 1.3 sends the session after the handshake.
    const session = sessions.at(-1) ?? first.socket.getSession();
    first.socket.destroy();
    const second = await open({ ...options, ...(session && { session }) });
    expect(second.socket.isSessionReused()).toBe(true);
    second.socket.destroy();
  });
});

it("refuses an older version than minVersion", async () => {
  const { failures } = await start({ minVersion: "TLSv1.3" });
  await expect(open({ maxVersion: "TLSv1.2" })).rejects.toMatchObject({
    code: "ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION",
  });
  expect(failures).toEqual(["protocol"]);
});

it("speaks http/1.1 only", async () => {
  const { failures } = await start();
  const both = await open({ ALPNProtocols: ["h2", "http/1.1"] });
  expect(both.socket.alpnProtocol).toBe("http/1.1");
  both.socket.write(PROBE);
  await both.until("ok");
  both.socket.destroy();
  const alert = { code: "ERR_SSL_TLSV1_ALERT_NO_APPLICATION_PROTOCOL" };
  await expect(open({ ALPNProtocols: ["h2"] })).rejects.toMatchObject(alert);
  expect(failures).toEqual(["protocol"]);
});

it("allows no renegotiation", async () => {
  await start();
  const { socket, until } = await open({ maxVersion: "TLSv1.2" });
  const refused = once(socket, "error");
  socket.renegotiate({}, () => undefined);
  expect(await refused).toMatchObject([{ code: "ERR_SSL_NO_RENEGOTIATION" }]);
  socket.destroy();
  await expect(until("HTTP")).rejects.toThrow();
});

it.each([
  "GET / HTTP/1.1\r\nHost: x\r\n\r\n",
  "\u0000",
  "PROXY TCP4 1.2.3.4 1.2.3.4 1 2\r\n",
  "\u0080\u002e\u0001",
])("closes a connection that begins with %j without an answer", async (bytes) => {
  const { failures } = await start();
  const { socket, received } = await openRaw(listener?.port ?? 0);
  socket.on("error", () => undefined);
  const end = closed(socket);
  socket.write(Buffer.from(bytes, "latin1"));
  await end;
  expect(received()).toBe("");
  expect(failures).toEqual(["not TLS"]);
});

it("closes a connection whose ClientHello claims a large size", async () => {
  const { failures } = await start();
  const { socket, received } = await openRaw(listener?.port ?? 0);
  socket.on("error", () => undefined);
  const end = closed(socket);
  socket.write(Buffer.from([22, 3, 1, 0, 200, 1, 1, 0, 0]));
  await end;
  expect(received()).toBe("");
  expect(failures).toEqual(["protocol"]);
});

it.each([0, 5, 60])("closes a connection after headersTimeout if it stops after %i bytes", async (count) => {
  const { failures } = await start({}, { headersTimeout: 150 });
  const hello = await clientHello();
  const { socket, received } = await openRaw(listener?.port ?? 0);
  socket.on("error", () => undefined);
  const end = closed(socket);
  for (let at = 0; at < count; at++) socket.write(hello.subarray(at, at + 1));
  await end;
  expect(received()).toBe("");
  expect(failures).toEqual(["timeout"]);
});

it("accepts a handshake that arrives byte by byte", async () => {
  await start();
  const socket = connect(listener?.port ?? 0, "127.0.0.1");
  await once(socket, "connect");
  const hello = await clientHello();
  for (const byte of hello) {
    socket.write(Buffer.from([byte]));
    await new Promise((resolve) => setImmediate(resolve));
  }
  const [answer] = (await once(socket, "data")) as [Buffer];
  // A handshake record with a ServerHello.
  expect([answer[0], answer[5]]).toEqual([22, 2]);
  socket.destroy();
});

it("answers late headers of a secure connection as without TLS", async () => {
  // The handshake must end within the same time, also on a busy machine.
  await start({}, { headersTimeout: 1500 });
  const { socket, closed: ended } = await open();
  socket.write("GET / HTTP/1.1\r\nHost");
  expect(await ended()).toContain("HTTP/1.1 408");
});

it("makes links with https", async () => {
  const { token } = await start();
  const { socket, until } = await open();
  socket.write(`GET /v3/clusters HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${token}\r\n\r\n`);
  expect(await until("KafkaCluster")).toContain('"self":"https://localhost/v3/clusters');
  socket.destroy();
});

it("sends no HSTS header", async () => {
  await start();
  const { socket, until } = await open();
  socket.write(PROBE);
  expect((await until("ok")).toLowerCase()).not.toContain("strict-transport-security");
  socket.destroy();
});

describe("rotation", () => {
  it("serves new connections with the new certificate, and open ones go on", async () => {
    const { server } = await start();
    const before = await open();
    const next = await authority.server();
    server.renewTls(pemOf(next));
    const after = await open();
    const serial = ({ socket }: RawConnection<TLSSocket>): string => socket.getPeerCertificate().serialNumber;
    expect(serial(after)).not.toBe(serial(before));
    for (const { socket, until } of [before, after]) {
      socket.write(PROBE);
      expect(await until("ok")).not.toContain("Connection: close");
      socket.destroy();
    }
  });

  it("breaks no request of clients that open new connections all the time", async () => {
    const { server } = await start();
    const pairs = await Promise.all([authority.server(), authority.server()]);
    let isOver = false;
    let answered = 0;
    const client = async (): Promise<void> => {
      while (!isOver) {
        const { socket, until } = await open();
        for (let count = 0; count < 3; count++) {
          socket.write(PROBE);
          await until('{"status":"ok"}');
          answered += 1;
        }
        socket.destroy();
      }
    };
    const clients = Array.from({ length: 8 }, client);
    for (let turn = 0; turn < 20; turn++) {
      server.renewTls(pemOf(pairs[turn % 2] ?? identity));
      const before = answered;
      while (answered < before + 10) await new Promise((resolve) => setImmediate(resolve));
    }
    isOver = true;
    await Promise.all(clients);
    expect(answered).toBeGreaterThanOrEqual(200);
  });

  it("resumes no session of the old certificate", async () => {
    const { server } = await start();
    const first = await open();
    first.socket.write(PROBE);
    const [session] = (await once(first.socket, "session")) as [Buffer];
    first.socket.destroy();
    server.renewTls(pemOf(await authority.server()));
    const second = await open({ session });
    expect(second.socket.isSessionReused()).toBe(false);
    second.socket.destroy();
  });

  it("keeps the old pair if the new one does not fit", async () => {
    const { server } = await start();
    const other = await authority.server();
    expect(() => {
      server.renewTls(pemOf({ cert: other.cert, key: identity.key }));
    }).toThrow("key values mismatch");
    const { socket, until } = await open();
    socket.write(PROBE);
    await until("ok");
    socket.destroy();
  });
});

describe("limits", () => {
  it("answers 503 above maxConnections, and does not answer many of them", async () => {
    await start({}, { maxConnections: 1 });
    const first = await open();
    first.socket.write(PROBE);
    await first.until("ok");
    const second = await open();
    expect(await second.closed()).toContain("HTTP/1.1 503");
    first.socket.destroy();
  });

  it("closes the handshakes that began first above the number that fits in the memory", async () => {
    let memoryBytes = 1;
    listener = await openListener({ memoryBytes: () => memoryBytes }, {}, { pem: pemOf(identity) });
    // A reload may change the memory.
    memoryBytes = 3 * 32 * 1024;
    const hello = await clientHello();
    const begun: RawConnection[] = [];
    for (let count = 0; count < 4; count++) {
      const connection = await openRaw(listener.port);
      connection.socket.on("error", () => undefined);
      connection.socket.write(hello);
      await once(connection.socket, "data");
      begun.push(connection);
    }
    const [first, ...others] = begun;
    if (first?.socket.closed === false) await closed(first.socket);
    expect(others.map(({ socket }) => socket.destroyed)).toEqual([false, false, false]);
    for (const { socket } of others) socket.destroy();
  });

  it("serves a client beside 1,000 silent connections", async () => {
    await start();
    const silent = await Promise.all(Array.from({ length: 1000 }, () => openRaw(listener?.port ?? 0)));
    const { socket, until } = await open();
    socket.write(PROBE);
    await until("ok");
    for (const each of [...silent.map((connection) => connection.socket), socket]) each.destroy();
  });
});

describe("drain", () => {
  it("finishes a handshake and answers its first request as the last one", async () => {
    const { server, port } = await start();
    const accepted = await openRaw(port);
    const drained = server.drain({ graceMs: 10_000, idleMs: 5000 });
    while (await isListening(port));
    const { socket, closed: ended } = await open({ socket: accepted.socket });
    socket.write(PROBE);
    expect(await ended()).toContain("Connection: close");
    await drained;
  });

  it("closes silent and idle connections", async () => {
    const { server } = await start();
    const silent = await openRaw(listener?.port ?? 0);
    const idle = await open();
    idle.socket.write(PROBE);
    await idle.until("ok");
    await server.drain({ graceMs: 5000, idleMs: 40 });
    await Promise.all([silent.closed(), idle.closed()]);
  });
});

const isListening = async (port: number): Promise<boolean> => {
  const socket = connect(port, "127.0.0.1");
  const isOpen = await new Promise<boolean>((resolve) => {
    socket.on("connect", () => {
      resolve(true);
    });
    socket.on("error", () => {
      resolve(false);
    });
  });
  socket.destroy();
  return isOpen;
};

/** The first bytes that a client sends. */
const clientHello = async (): Promise<Buffer> => {
  const { createServer } = await import("node:net");
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  const opening = openTls(port, {}).catch(() => undefined);
  const [socket] = (await once(server, "connection")) as [Socket];
  const [hello] = (await once(socket, "data")) as [Buffer];
  socket.destroy();
  server.close();
  await opening;
  return hello;
};
