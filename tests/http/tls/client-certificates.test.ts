/** Client certificates of a listener: which connections are secure, and which requests have a credential. */
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { Duplex } from "node:stream";
import { connect as connectTls, type ConnectionOptions, type TLSSocket } from "node:tls";
import type { CertificateOptions } from "../../../src/auth/certificates.ts";
import type { PemFiles } from "../../../src/http/tls/secure-context.ts";
import { type Authority, createAuthority, type Identity } from "../../support/authority.ts";
import { openTls, type RawConnection } from "../raw.ts";
import { openListener, type TestListener } from "../test-listener.ts";
import { pemOf } from "./pems.ts";

const HOUR = 3_600_000;

let authority: Authority;
let other: Authority;
let identity: Identity;
let billing: Identity;
let stranger: Identity;
let listener: TestListener;

beforeAll(async () => {
  [authority, other] = await Promise.all([createAuthority(), createAuthority("other authority")]);
  [identity, billing, stranger] = await Promise.all([
    authority.server(),
    authority.client("billing"),
    authority.client("stranger"),
  ]);
});

afterEach(() => listener.close());

afterAll(() => Promise.all([authority, other].map((each) => each[Symbol.asyncDispose]())));

const CERTIFICATES: readonly CertificateOptions[] = [
  { name: "billing", cn: "billing", stations: ["plain"], origins: ["https://shop.example"] },
];

const start = async (clientAuth: "optional" | "required", pem: Partial<PemFiles> = {}): Promise<void> => {
  const own = pemOf(identity, { clientAuth, ca: authority.cert, ...pem });
  listener = await openListener({ certificates: CERTIFICATES }, {}, { pem: own });
};

const open = (client?: Identity, options: ConnectionOptions = {}): Promise<RawConnection<TLSSocket>> =>
  openTls(listener.port, { ca: authority.cert, ...client, ...options });

const produce = (...headers: readonly string[]): string =>
  [
    "POST /stations/plain/produce/single HTTP/1.1",
    ...["Host: localhost", "Content-Type: text/plain", "Content-Length: 3", ...headers],
    "\r\nabc",
  ].join("\r\n");

/** The head and the body of the answer. The connection stays open. */
const answerTo = async ({ socket, received, until }: RawConnection, request: string): Promise<string> => {
  const before = received().length;
  socket.write(request);
  await until("\r\n\r\n");
  for (;;) {
    const answer = received().slice(before);
    const [, length] = /content-length: (\d+)/i.exec(answer) ?? [];
    const end = answer.indexOf("\r\n\r\n");
    if (end > 0 && length !== undefined && answer.length >= end + 4 + Number(length)) return answer;
    await once(socket, "data");
  }
};

/** Resolves with the received text when the connection is closed in any way. */
const closing = async (opening: Promise<RawConnection<TLSSocket>>): Promise<string> => {
  try {
    const { socket, received } = await opening;
    socket.on("error", () => undefined);
    socket.write(produce());
    if (!socket.closed) await once(socket, "close");
    return received();
  } catch {
    return "";
  }
};

/**
 * The stream of a TLS client over `raw`. Its second write contains the client's certificate. This write emits `held`, and is sent
 * after the event `release`.
 */
const holdSecondWrite = (raw: Socket): Duplex => {
  let writes = 0;
  const duplex = new Duplex({
    read: () => undefined,
    write: (chunk: Buffer, _, done) => {
      writes += 1;
      if (writes !== 2) raw.write(chunk, done);
      else {
        duplex.once("release", () => raw.write(chunk, done));
        duplex.emit("held");
      }
    },
  });
  raw.on("data", (chunk: Buffer) => duplex.push(chunk)).on("close", () => duplex.destroy());
  raw.on("error", () => undefined);
  return duplex;
};

it("takes a verified certificate as the credential", async () => {
  await start("optional");
  const connection = await open(billing);
  expect(await answerTo(connection, produce())).toContain("HTTP/1.1 200");
  expect(await answerTo(connection, produce())).toContain("HTTP/1.1 200");
  expect(await answerTo(connection, produce().replace("/plain/", "/orders/"))).toContain("HTTP/1.1 403");
  connection.socket.destroy();
  expect(listener.gateway.lines.at(-1)).toMatchObject({ principal: "billing", status: 403 });
});

it("prefers any other credential of the request", async () => {
  await start("optional");
  const connection = await open(billing);
  expect(await answerTo(connection, produce("Authorization: Bearer wrong"))).toContain("HTTP/1.1 401");
  expect(await answerTo(connection, produce("X-Api-Key: wrong"))).toContain("HTTP/1.1 401");
  const inQuery = produce().replace("/single", "/single?authorization=wrong");
  expect(await answerTo(connection, inQuery)).toContain("HTTP/1.1 401");
  connection.socket.destroy();
});

it("answers 401 to a certificate that no entry matches, with the reason in the log", async () => {
  await start("optional");
  const connection = await open(stranger);
  expect(await answerTo(connection, produce())).toContain("HTTP/1.1 401");
  connection.socket.destroy();
  expect(listener.gateway.lines.at(-1)).toMatchObject({ reason: "certificate not mapped", status: 401 });
});

it("never takes a certificate from a header", async () => {
  await start("optional");
  const connection = await open();
  const pem = encodeURIComponent(billing.cert);
  const headers = ["X-Client-Cert", "X-Forwarded-Client-Cert", "X-SSL-Client-Cert"].map(
    (name) => `${name}: ${pem}`,
  );
  expect(await answerTo(connection, produce(...headers))).toContain("HTTP/1.1 401");
  connection.socket.destroy();
});

it("needs the origin of a request in the entry's origins", async () => {
  await start("optional");
  const connection = await open(billing);
  expect(await answerTo(connection, produce("Origin: https://shop.example"))).toContain("HTTP/1.1 200");
  expect(await answerTo(connection, produce("Origin: https://evil.example"))).toContain("HTTP/1.1 403");
  connection.socket.destroy();
});

it("serves a client without a certificate with clientAuth optional, if it has another credential", async () => {
  await start("optional");
  const connection = await open();
  expect(await answerTo(connection, produce())).toContain("HTTP/1.1 401");
  const authorization = `Authorization: Bearer ${listener.token}`;
  expect(await answerTo(connection, produce(authorization))).toContain("HTTP/1.1 200");
  connection.socket.destroy();
});

it.each(["TLSv1.2", "TLSv1.3"] as const)(
  "ends a %s connection without a certificate with required",
  async (version) => {
    await start("required");
    expect(await closing(open(undefined, { minVersion: version, maxVersion: version }))).toBe("");
    expect(listener.failures).toEqual(["no certificate"]);
  },
);

describe.each(["optional", "required"] as const)("clientAuth %s", (clientAuth) => {
  it.each([
    ["expired", () => authority.client("billing", { from: -2 * HOUR, until: -HOUR })],
    ["not yet valid", () => authority.client("billing", { from: HOUR })],
    ["of another CA", () => other.client("billing")],
    ["for servers", () => authority.client("billing", { usage: "serverAuth" })],
  ] as const)("ends the connection if the certificate is %s", async (_, make) => {
    const client = await make();
    for (const version of ["TLSv1.2", "TLSv1.3"] as const) {
      await start(clientAuth);
      expect(await closing(open(client, { minVersion: version, maxVersion: version }))).toBe("");
      expect(listener.failures).toEqual(["certificate refused"]);
      expect(listener.gateway.lines.filter(({ route }) => route !== "/auth/authenticate")).toEqual([]);
      if (version === "TLSv1.2") await listener.close();
    }
  });

  it.each(["TLSv1.2", "TLSv1.3"] as const)("resumes no session of %s", async (version) => {
    await start(clientAuth);
    const options = { minVersion: version, maxVersion: version };
    const first = await open(billing, options);
    const sessions: Buffer[] = [];
    first.socket.on("session", (session: Buffer) => void sessions.push(session));
    expect(await answerTo(first, produce())).toContain("HTTP/1.1 200");
    const kept = sessions.at(-1) ?? first.socket.getSession();
    first.socket.destroy();
    const second = await open(billing, { ...options, ...(kept && { session: kept }) });
    expect(second.socket.isSessionReused()).toBe(false);
    expect(await answerTo(second, produce())).toContain("HTTP/1.1 200");
    second.socket.destroy();
  });
});

describe("another ca", () => {
  it("closes the connections that showed a certificate, after their next answer or when they are idle", async () => {
    await start("optional");
    const [active, idle, without] = [await open(billing), await open(billing), await open()];
    for (const each of [active, idle]) expect(await answerTo(each, produce())).toContain("HTTP/1.1 200");
    await answerTo(without, produce());
    const begin = performance.now();
    listener.server.renewTls(pemOf(identity, { clientAuth: "optional", ca: other.cert }));
    active.socket.write(produce());
    expect(await active.closed()).toMatch(/HTTP\/1\.1 401[^]*Connection: close/);
    expect(listener.gateway.lines.at(-1)).toMatchObject({ reason: "certificate of a removed CA" });
    await idle.closed();
    expect(performance.now() - begin).toBeGreaterThan(500);
    expect(await answerTo(without, produce())).not.toContain("Connection: close");
    without.socket.destroy();
    expect(await closing(open(billing))).toBe("");
    const ours = await open(await other.client("billing"));
    expect(await answerTo(ours, produce())).toContain("HTTP/1.1 200");
    ours.socket.destroy();
  });

  it("leaves the certificates valid that the new CAs verify", async () => {
    await using intermediate = await authority.intermediate("intermediate");
    const { cert, key } = await intermediate.client("billing");
    await start("optional");
    const [direct, through] = [await open(billing), await open({ cert: `${cert}${intermediate.cert}`, key })];
    for (const each of [direct, through]) expect(await answerTo(each, produce())).toContain("HTTP/1.1 200");
    const ca = `${other.cert}${authority.cert}`;
    listener.server.renewTls(pemOf(identity, { clientAuth: "optional", ca }));
    for (const each of [direct, through])
      expect(await answerTo(each, produce())).toMatch(/HTTP\/1\.1 200[^]*Connection: close/);
  });

  const root = async (extensions: readonly string[]): Promise<{ own: Authority; client: Identity }> => {
    const own = await createAuthority("billing", [...extensions]);
    return { own, client: await own.client("billing") };
  };
  const itself = async (extensions: readonly string[]): Promise<{ own: Authority; client: Identity }> => {
    const own = await createAuthority("billing", [...extensions]);
    return { own, client: own };
  };

  it.each([
    ["a root without extensions (version 1)", [], root],
    ["a root without basic constraints", ["keyUsage=keyCertSign"], root],
    ["a client's own certificate", ["keyUsage=digitalSignature"], itself],
    ["a client's own certificate that is no CA", ["basicConstraints=CA:false"], itself],
  ])("leaves certificates valid that stay in it: %s", async (_, extensions, make) => {
    const made = await make(extensions);
    await using own = made.own;
    await start("optional", { ca: own.cert });
    const connection = await open(made.client);
    expect(await answerTo(connection, produce())).toContain("HTTP/1.1 200");
    listener.server.renewTls(pemOf(identity, { clientAuth: "optional", ca: `${own.cert}${other.cert}` }));
    expect(await answerTo(connection, produce())).toMatch(/HTTP\/1\.1 200[^]*Connection: close/);
  });

  it("of the same name does not make a certificate of the removed CA valid, also if the client sends it", async () => {
    await using namesake = await createAuthority();
    await start("optional");
    const connection = await open({ cert: `${billing.cert}${namesake.cert}`, key: billing.key });
    expect(await answerTo(connection, produce())).toContain("HTTP/1.1 200");
    listener.server.renewTls(pemOf(identity, { clientAuth: "optional", ca: namesake.cert }));
    expect(await answerTo(connection, produce())).toContain("HTTP/1.1 401");
  });

  it("does not make an intermediate certificate of its client a root", async () => {
    await using intermediate = await authority.intermediate("intermediate");
    const { cert, key } = await intermediate.client("billing");
    await start("optional");
    const connection = await open({ cert: `${cert}${intermediate.cert}${authority.cert}`, key });
    expect(await answerTo(connection, produce())).toContain("HTTP/1.1 200");
    listener.server.renewTls(pemOf(identity, { clientAuth: "optional", ca: other.cert }));
    expect(await answerTo(connection, produce())).toContain("HTTP/1.1 401");
  });

  it.each([
    ["TLSv1.2", { clientAuth: "optional", ca: "other" }],
    ["TLSv1.3", { clientAuth: "optional", ca: "other" }],
    ["TLSv1.3", { clientAuth: "none" }],
  ] as const)("refuses a certificate whose %s handshake began before (then %j)", async (version, later) => {
    await start("optional");
    const raw = connect(listener.port, "127.0.0.1");
    const duplex = holdSecondWrite(raw);
    const held = once(duplex, "held");
    const options = { socket: duplex, servername: "localhost", ca: authority.cert, ...billing };
    const socket = connectTls({ ...options, minVersion: version, maxVersion: version });
    socket.on("error", () => undefined);
    socket.write(produce());
    await held;
    // Not by `once`, which rejects if the connection is reset: the gateway may close it before it has read the request.
    const ended = new Promise((resolve) => raw.once("close", resolve));
    const ca = "ca" in later ? other.cert : undefined;
    listener.server.renewTls(pemOf(identity, { clientAuth: later.clientAuth, ca }));
    duplex.emit("release");
    await ended;
    expect(socket.bytesRead).toBe(0);
    expect(listener.failures).toEqual(["certificate refused"]);
    socket.destroy();
  });

  it("does not touch connections if only the pair changes", async () => {
    await start("optional");
    const connection = await open(billing);
    listener.server.renewTls(pemOf(await authority.server(), { clientAuth: "optional", ca: authority.cert }));
    expect(await answerTo(connection, produce())).not.toContain("Connection: close");
    connection.socket.destroy();
  });
});
