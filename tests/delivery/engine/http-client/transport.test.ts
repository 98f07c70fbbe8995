/** Proxies, trust stores and client certificates, with real sockets. */
import { once } from "node:events";
import type { Server } from "node:http";
import { createServer } from "node:https";
import type { AddressInfo, Socket } from "node:net";
import { TLSSocket } from "node:tls";
import type { HttpResult } from "../../../../src/delivery/engine/delivery-plan.ts";
import {
  createHttpClient,
  type HttpClient,
  type HttpClientOptions,
} from "../../../../src/delivery/engine/http-client/http-client.ts";
import { createTargets } from "../../../../src/delivery/engine/targets.ts";
import { type Authority, createAuthority } from "../../../support/authority.ts";
import { createFakeClock } from "../../../support/fake-clock.ts";
import { type HttpProxy, startHttpProxy } from "../../../support/http-proxy.ts";
import { type HttpSink, startHttpSink } from "../../../support/http-sink.ts";

/** Common name of the client's certificate. Without a certificate Node returns an empty object. */
const nameOf = (socket: Socket): string => {
  if (!(socket instanceof TLSSocket)) return "nobody";
  const certificate = socket.getPeerCertificate();
  return Object.hasOwn(certificate, "subject") ? String(certificate.subject.CN) : "nobody";
};

const LOOPBACK = ["127.0.0.0/8", "::1/128"];

const clients: HttpClient[] = [];
const proxies: HttpProxy[] = [];
let authority: Authority;
let sink: HttpSink;
let secure: Server;
let secureUrl: string;

beforeAll(async () => {
  authority = await createAuthority();
  sink = await startHttpSink(() => ({ status: 202, body: "ok" }));
  const { cert, key } = await authority.server({ names: ["DNS:localhost"] });
  const options = { cert, key, ca: authority.cert, requestCert: true, rejectUnauthorized: false };
  secure = createServer(options, (request, response) => {
    request.resume();
    response.end(nameOf(request.socket));
  });
  secure.listen(0, "127.0.0.1");
  await once(secure, "listening");
  secureUrl = `https://localhost:${(secure.address() as AddressInfo).port}`;
});

afterEach(async () => {
  await Promise.all(clients.splice(0).map((client) => client.close()));
  await Promise.all(proxies.splice(0).map((proxy) => proxy.close()));
});

afterAll(async () => {
  await sink.close();
  secure.close();
  await authority[Symbol.asyncDispose]();
});

const proxyThat = async (refusal?: number): Promise<HttpProxy> => {
  const proxy = await startHttpProxy(refusal);
  proxies.push(proxy);
  return proxy;
};

const send = (
  origin: string,
  options: Partial<HttpClientOptions> = {},
  headers: readonly string[] = [],
): Promise<HttpResult> => {
  const client = createHttpClient({
    targets: createTargets(LOOPBACK),
    clock: createFakeClock(),
    connectTimeoutMs: 5000,
    readTimeoutMs: 0,
    ...options,
  });
  clients.push(client);
  return client.send({ origin, path: "/hook?a=1", method: "POST", headers, body: Buffer.from("event") });
};

const through = ({ port }: HttpProxy, authorization?: string) => ({
  proxy: { origin: `http://127.0.0.1:${port}`, authorization },
});

const bodyOf = (result: HttpResult): string => ("body" in result ? result.body.toString() : result.error);

describe("a proxy", () => {
  it("gets an http request in absolute form, with the host of the target", async () => {
    const proxy = await proxyThat();
    const result = await send(sink.url, through(proxy, "Basic eDp5"), ["X-A", "1"]);

    expect(bodyOf(result)).toBe("ok");
    expect(proxy.asked).toStrictEqual([`POST ${sink.url}/hook?a=1`]);
    expect(proxy.credentials).toStrictEqual(["Basic eDp5"]);
    expect(sink.requests.at(-1)).toMatchObject({
      url: "/hook?a=1",
      body: "event",
      headers: { host: `127.0.0.1:${sink.port}`, "x-a": "1" },
    });
    expect(sink.requests.at(-1)?.headers["proxy-authorization"]).toBeUndefined();
  });

  it("gets a CONNECT for https, and the certificate of the target is checked", async () => {
    const proxy = await proxyThat();
    const trusted = { ...through(proxy, "Basic eDp5"), tls: { authorities: [authority.cert] } };

    expect(bodyOf(await send(secureUrl, trusted))).toBe("nobody");
    expect(proxy.asked).toStrictEqual([`CONNECT ${new URL(secureUrl).host}`]);
    expect(proxy.credentials).toStrictEqual(["Basic eDp5"]);
    expect(await send(secureUrl, through(proxy))).toMatchObject({ kind: "lost" });
  });

  it.each(["http", "https"])("that refuses %s gives a failed attempt", async (scheme) => {
    const proxy = await proxyThat(407);
    const result = await send(scheme === "http" ? sink.url : secureUrl, through(proxy));

    expect("status" in result ? result.status : result.error).toStrictEqual(
      scheme === "http" ? 407 : "The proxy answered CONNECT with HTTP status 407",
    );
  });

  it("that can't be reached is unreachable", async () => {
    const proxy = await startHttpProxy();
    await proxy.close();

    expect(await send(sink.url, through(proxy))).toMatchObject({ kind: "unreachable" });
    expect(await send(secureUrl, through(proxy))).toMatchObject({ kind: "unreachable" });
  });

  it("must be an allowed target", async () => {
    const proxy = await proxyThat();
    const options = { ...through(proxy), targets: createTargets([]) };
    const refused = {
      kind: "forbidden",
      error: "127.0.0.1 is not a public address; add it to delivery.allowTargets to allow it",
    };

    expect(await send("http://crm.example", options)).toStrictEqual(refused);
    expect(await send("https://crm.example", options)).toStrictEqual(refused);
    expect(proxy.asked).toStrictEqual([]);
  });

  it("doesn't get a request for a literal address that is not allowed", async () => {
    const proxy = await proxyThat();

    for (const origin of ["http://169.254.169.254", "https://[fd00::1]", "https://10.1.2.3:8443"])
      expect(await send(origin, through(proxy))).toMatchObject({ kind: "forbidden" });
    expect(proxy.asked).toStrictEqual([]);
  });
});

describe("TLS", () => {
  it("takes the authorities of a trust store instead of Node's", async () => {
    const other = await createAuthority("other");

    expect(bodyOf(await send(secureUrl, { tls: { authorities: [authority.cert] } }))).toBe("nobody");
    expect(await send(secureUrl, { tls: { authorities: [other.cert] } })).toMatchObject({ kind: "lost" });
    expect(await send(secureUrl)).toMatchObject({ kind: "lost" });
    await other[Symbol.asyncDispose]();
  });

  it("checks the host name unless any name is accepted", async () => {
    const url = secureUrl.replace("localhost", "127.0.0.1");
    const authorities = [authority.cert];

    expect(await send(url, { tls: { authorities } })).toMatchObject({ kind: "lost" });
    expect(bodyOf(await send(url, { tls: { authorities, anyHostName: true } }))).toBe("nobody");
  });

  it("presents the client certificate", async () => {
    const { key, cert } = await authority.client("gateway");
    const tls = { authorities: [authority.cert], client: { key, chain: cert } };

    expect(bodyOf(await send(secureUrl, { tls }))).toBe("gateway");
  });
});
