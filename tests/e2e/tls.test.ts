/** TLS with the real program: one process, and two workers behind a supervisor. */
import { once } from "node:events";
import { mkdtemp, writeFile } from "node:fs/promises";
import type { ClientRequest, IncomingMessage } from "node:http";
import { Agent, request, type RequestOptions } from "node:https";
import { tmpdir } from "node:os";
import path from "node:path";
import { text } from "node:stream/consumers";
import { connect as connectTls, type TLSSocket } from "node:tls";
import { execFile } from "node:child_process";
import { type Authority, createAuthority, type Identity } from "../support/authority.ts";
import { runCli } from "../support/cli.ts";
import { startGateway, type Gateway } from "../support/gateway.ts";
import { linesOf, until } from "../support/log-lines.ts";

const TIMEOUT = 60_000;
/** There is no Kafka. The workers serve requests that need none. */
const NO_KAFKA = { type: "kafka", kafka: { brokers: ["127.0.0.1:9"] } };

let authority: Authority;
let identity: Identity;
let client: Identity;

beforeAll(async () => {
  authority = await createAuthority();
  [identity, client] = await Promise.all([authority.server(), authority.client("billing")]);
});

afterAll(() => authority[Symbol.asyncDispose]());

interface Wanted {
  readonly server?: object;
  readonly tls?: object;
  readonly broker?: object;
  readonly admin?: object;
}

const folderWith = async (files: Readonly<Record<string, string>>): Promise<string> => {
  const folder = await mkdtemp(path.join(tmpdir(), "stationgate-"));
  await Promise.all(
    Object.entries(files).map(([name, content]) => writeFile(path.join(folder, name), content)),
  );
  return folder;
};

const start = async ({ server, tls, broker, admin }: Wanted = {}): Promise<Gateway> => {
  const directory = await folderWith({
    "tls.crt": identity.cert,
    "tls.key": identity.key,
    "ca.crt": authority.cert,
  });
  const both = { cert: "tls.crt", key: "tls.key", ca: "ca.crt", clientAuth: "optional", ...tls };
  return startGateway({
    directory,
    settings: {
      server: { host: "127.0.0.1", port: 0, tls: both, ...server },
      admin: {
        ...{ host: "127.0.0.1", port: 0, token: "admin-token" },
        tls: admin === undefined ? { cert: "tls.crt", key: "tls.key" } : both,
        ...admin,
      },
      auth: { certificates: [{ name: "billing", cn: "billing", stations: ["orders"], consume: ["orders"] }] },
      stations: [{ name: "orders" }],
      reading: { peer: { secret: "a-secret-of-the-peers-0123456789" } },
      ...(broker && { broker }),
    },
  });
};

interface Answer {
  readonly status: number | undefined;
  readonly body: string;
}

const ask = async (url: string, path: string, options: RequestOptions, body = ""): Promise<Answer> => {
  const asking = request(new URL(path, url.replace("http:", "https:")), { ca: authority.cert, ...options });
  asking.end(body);
  const [answer] = (await once(asking, "response")) as [NodeJS.ReadableStream & { statusCode?: number }];
  return { status: answer.statusCode, body: await text(answer) };
};

const produce = (gateway: Gateway, options: RequestOptions): Promise<Answer> =>
  ask(
    gateway.url,
    "/stations/orders/produce/single",
    { method: "POST", headers: { "content-type": "application/json" }, agent: false, ...options },
    '{"id":1}',
  );

const metricsOf = async (gateway: Gateway): Promise<string> =>
  (await ask(gateway.adminUrl, "/metrics", {})).body;

it(
  "stores an event of a client that has only its certificate, and reads it back",
  async () => {
    await using gateway = await start();
    expect(await produce(gateway, client)).toEqual({ status: 200, body: '{"error":null,"success":true}' });
    expect((await produce(gateway, {})).status).toBe(401);
    const read = await ask(
      gateway.url,
      "/stations/orders/consume/batch",
      { method: "POST", headers: { "content-type": "application/json" }, ...client },
      '{"consumer_name":"me","batch_max_wait_time_ms":3000}',
    );
    expect(read.body).toContain('\\"id\\":1');
    const shown = await ask(gateway.adminUrl, "/gateway", {
      headers: { authorization: "Bearer admin-token" },
    });
    expect(JSON.parse(shown.body)).toMatchObject({ publicListener: { scheme: "https" } });
    expect(gateway.output()).toContain('"principal":"billing"');
    expect(await metricsOf(gateway)).toMatch(
      /^stationgate_tls_certificate_not_after_seconds\{listener="admin"\} \d{10}$/m,
    );
  },
  TIMEOUT,
);

it(
  "serves the command line with its CA and a client certificate, on both ports",
  async () => {
    const certificates = [{ name: "deployments", cn: "billing", role: "viewer" }];
    await using gateway = await start({ admin: { certificates } });
    await writeFile(path.join(gateway.directory, "billing.pem"), client.cert + client.key);
    const env = {
      STATIONGATE_URL: gateway.url.replace("http:", "https:"),
      STATIONGATE_ADMIN_URL: gateway.adminUrl.replace("http:", "https:"),
      STATIONGATE_CA: path.join(gateway.directory, "ca.crt"),
    };
    const certificate = ["--cert", path.join(gateway.directory, "billing.pem")];

    const produced = await runCli(["produce", "orders", '{"id":1}', ...certificate], env);
    expect([produced.code, produced.stdout]).toEqual([0, expect.stringMatching(/^stored: partition/)]);
    const tailed = await runCli(
      ["tail", "orders", "--from", "earliest", "--limit", "1", ...certificate],
      env,
    );
    expect([tailed.code, tailed.stdout]).toEqual([0, expect.stringContaining('"id": 1')]);
    expect((await runCli(["connectors", "list", ...certificate], env)).code).toBe(0);

    const untrusting = await runCli(["produce", "orders", "{}", ...certificate], {
      ...env,
      STATIONGATE_CA: "",
    });
    expect([untrusting.code, untrusting.stderr]).toEqual([3, expect.stringContaining("by --ca")]);
  },
  TIMEOUT,
);

describe("two workers", () => {
  it(
    "do the handshakes, and resume each other's sessions",
    async () => {
      const tls = { ca: undefined, clientAuth: undefined };
      await using gateway = await start({ server: { workers: 2 }, tls, broker: NO_KAFKA });
      const port = Number(new URL(gateway.url).port);
      const open = (session?: Buffer): TLSSocket =>
        connectTls({
          port,
          host: "127.0.0.1",
          servername: "localhost",
          ca: authority.cert,
          ...(session && { session }),
        });
      const first = open();
      first.write("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n");
      const [session] = (await once(first, "session")) as [Buffer];
      first.destroy();
      // The workers take turns, so several connections reach both of them.
      for (let count = 0; count < 8; count++) {
        const next = open(session);
        await once(next, "secureConnect");
        expect(next.isSessionReused()).toBe(true);
        next.destroy();
      }
    },
    TIMEOUT,
  );

  it(
    "close connections that don't speak TLS, and sum the failures",
    async () => {
      await using gateway = await start({ server: { workers: 2 }, broker: NO_KAFKA });
      for (let count = 0; count < 6; count++)
        await expect(fetch(`${gateway.url}/healthz`)).rejects.toThrow("fetch failed");
      expect((await ask(gateway.url, "/healthz", { agent: false })).status).toBe(200);
      expect(await metricsOf(gateway)).toContain(
        'stationgate_tls_failures_total{listener="public",reason="not TLS"} 6',
      );
    },
    TIMEOUT,
  );

  it(
    "end without a broken request under load",
    async () => {
      await using gateway = await start({ server: { workers: 2 }, broker: NO_KAFKA });
      const agent = new Agent({ keepAlive: true, maxSockets: 8 });
      let isOver = false;
      const failures: unknown[] = [];
      let answered = 0;
      const load = Array.from({ length: 8 }, async () => {
        while (!isOver) {
          try {
            await ask(gateway.url, "/healthz", { agent });
            answered += 1;
          } catch (error) {
            // A new connection after the port is closed.
            if ((error as NodeJS.ErrnoException).code !== "ECONNREFUSED") failures.push(error);
            return;
          }
        }
      });
      while (answered < 100) await new Promise((resolve) => setTimeout(resolve, 20));
      expect(await gateway.stop()).toBe(0);
      isOver = true;
      await Promise.all(load);
      agent.destroy();
      expect(failures).toEqual([]);
    },
    TIMEOUT,
  );
});

describe("a new certificate", () => {
  const serialAt = async (gateway: Gateway): Promise<string> => {
    const port = Number(new URL(gateway.url).port);
    const socket = connectTls({ port, host: "127.0.0.1", servername: "localhost", ca: authority.cert });
    await once(socket, "secureConnect");
    const { serialNumber } = socket.getPeerCertificate();
    socket.destroy();
    return serialNumber;
  };

  it.each([
    ["one process", {}],
    ["two workers", { server: { workers: 2 }, broker: NO_KAFKA }],
  ])(
    "is used by new connections of %s within seconds of its files, and no request breaks",
    async (_, wanted) => {
      await using gateway = await start(wanted);
      const agent = new Agent({ keepAlive: true, maxSockets: 4 });
      const failures: unknown[] = [];
      let isOver = false;
      const load = [agent, agent, false as const].map(async (each) => {
        while (!isOver)
          await ask(gateway.url, "/healthz", { agent: each }).catch((error: unknown) => failures.push(error));
      });
      const before = await serialAt(gateway);
      const next = await authority.server();
      await writeFile(path.join(gateway.directory, "tls.crt"), next.cert);
      await writeFile(path.join(gateway.directory, "tls.key"), next.key);
      // Several connections in a row reach all workers.
      for (let changed = 0; changed < 6;) changed = (await serialAt(gateway)) === before ? 0 : changed + 1;
      isOver = true;
      await Promise.all(load);
      agent.destroy();
      expect(failures).toEqual([]);
    },
    TIMEOUT,
  );

  it(
    "of another CA for clients ends the connections that showed a certificate of the old one",
    async () => {
      await using gateway = await start();
      const port = Number(new URL(gateway.url).port);
      const idle = connectTls({
        port,
        host: "127.0.0.1",
        servername: "localhost",
        ca: authority.cert,
        ...client,
      });
      await once(idle, "secureConnect");
      const ended = once(idle, "close");
      idle.resume();
      await using other = await createAuthority("other authority");
      await writeFile(path.join(gateway.directory, "ca.crt"), other.cert);
      await ended;
      await expect(produce(gateway, client)).rejects.toThrow();
      expect((await produce(gateway, await other.client("billing"))).status).toBe(200);
    },
    TIMEOUT,
  );
});

describe("the removal of a CA of clients", () => {
  /** Resolves with the status and all text when the answer has ended. */
  const ending = async (answer: IncomingMessage): Promise<Answer> => ({
    status: answer.statusCode,
    body: await text(answer).catch(() => "cut"),
  });

  it(
    "ends the streams and waiting calls of its clients, and not those of other clients",
    async () => {
      await using gateway = await start();
      await using other = await createAuthority("other authority");
      await writeFile(path.join(gateway.directory, "ca.crt"), authority.cert + other.cert);
      await until(() => linesOf(gateway, "settings reloaded").length === 1);
      const call = (method: string, called: string, by: Identity): ClientRequest =>
        request(new URL(called, gateway.url.replace("http:", "https:")), {
          ...{ method, agent: false, ca: authority.cert, headers: { "content-type": "application/json" } },
          ...by,
        });
      const open = async (outgoing: ClientRequest, line = ""): Promise<IncomingMessage> => {
        if (line === "") outgoing.end();
        else outgoing.write(line);
        return ((await once(outgoing, "response")) as [IncomingMessage])[0];
      };
      const stream = call("POST", "/stations/orders/produce/stream", client);
      const ended = ending(await open(stream, '{"id":1}\n'));
      const tail = ending(await open(call("GET", "/stations/orders/consume/stream", client)));
      const waiting = call("POST", "/stations/orders/consume/batch", client);
      const pulled = once(waiting, "response") as Promise<[IncomingMessage]>;
      waiting.end('{"consumer_name":"me","batch_max_wait_time_ms":60000}');
      const theirs = call("POST", "/stations/orders/produce/stream", await other.client("billing"));
      const answers = await open(theirs, '{"id":2}\n');
      await once(answers, "data");

      await writeFile(path.join(gateway.directory, "ca.crt"), other.cert);

      expect((await ended).body).toMatch(/\{"line":2,"status":"refused","error":"Unauthorized"\}\n$/);
      expect((await tail).body).toMatch(/event: end\ndata: \{"reason":"Unauthorized"\}\n\n$/);
      expect((await pulled)[0].statusCode).toBe(401);
      theirs.write('{"id":3}\n');
      const [line] = (await once(answers, "data")) as [Buffer];
      expect(line.toString()).toContain('"line":2,"status":"stored"');
      theirs.destroy();
    },
    TIMEOUT,
  );
});

describe("the start", () => {
  const run = (folder: string): Promise<{ readonly code: unknown; readonly stderr: string }> =>
    new Promise((resolve) => {
      const args = [path.resolve("dist/main.js"), "--config", "stationgate.yaml"];
      execFile(process.execPath, args, { cwd: folder, timeout: TIMEOUT }, (error, _, stderr) => {
        resolve({ code: error?.code, stderr: stderr.replaceAll(`${folder}/`, "") });
      });
    });

  it(
    "stops with one line for each fault of a file",
    async () => {
      const folder = await folderWith({
        "stationgate.yaml": [
          "server: { tls: { cert: tls.crt, key: other.key } }",
          "admin: { tls: { cert: tls.crt, key: tls.key, ca: tls.key, clientAuth: required } }",
        ].join("\n"),
        "tls.crt": identity.cert,
        "tls.key": identity.key,
        "other.key": client.key,
      });
      expect(await run(folder)).toEqual({
        code: 1,
        stderr: [
          'server.tls.key: got "other.key", which belongs to another certificate than server.tls.cert "tls.crt"',
          'admin.tls.ca: got "tls.key", which contains no PEM certificate',
          "",
        ].join("\n"),
      });
    },
    TIMEOUT,
  );
});
