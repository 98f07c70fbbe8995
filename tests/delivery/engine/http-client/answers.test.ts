/** Unusual answers of real endpoints: encoded answers, interim (1xx) answers and endless answers. */
import { once } from "node:events";
import type { Socket } from "node:net";
import { brotliCompressSync, deflateSync, gzipSync } from "node:zlib";
import type { HttpResult } from "../../../../src/delivery/engine/delivery-plan.ts";
import {
  createHttpClient,
  type HttpClient,
} from "../../../../src/delivery/engine/http-client/http-client.ts";
import { createTargets } from "../../../../src/delivery/engine/targets.ts";
import { createFakeClock } from "../../../support/fake-clock.ts";
import {
  HTTP_DONE,
  startRawEndpoint,
  type RawEndpoint,
  type RawRequest,
} from "../../../support/raw-endpoint.ts";

const FLAG = '{"retry":false}';
const done = { status: 200, retryAfter: undefined, body: Buffer.from(FLAG) };

let endpoint: RawEndpoint;
let client: HttpClient;
const clock = createFakeClock();

const start = async (answer: (socket: Socket, request: RawRequest) => void): Promise<void> => {
  endpoint = await startRawEndpoint(answer);
  client = createHttpClient({
    targets: createTargets(["127.0.0.0/8"]),
    clock,
    connectTimeoutMs: 1000,
    readTimeoutMs: 5000,
  });
};

const send = (headers: readonly string[] = []): Promise<HttpResult> =>
  client.send({ origin: endpoint.url, path: "/", method: "POST", headers, body: Buffer.from("body") });

afterEach(async () => {
  await client.close();
  await endpoint.close();
});

const answerOf = (body: Buffer, ...headers: readonly string[]): Buffer =>
  Buffer.concat([
    Buffer.from(["HTTP/1.1 200 OK", ...headers, `content-length: ${body.length}`, "", ""].join("\r\n")),
    body,
  ]);

describe("an encoded answer without Accept-Encoding", () => {
  it.each([
    ["gzip", gzipSync(FLAG)],
    ["X-GZip", gzipSync(FLAG)],
    ["deflate", deflateSync(FLAG)],
    ["br", brotliCompressSync(FLAG)],
    ["identity", Buffer.from(FLAG)],
    ["gzip, br", brotliCompressSync(gzipSync(FLAG))],
  ])("as %s is decoded", async (encoding, body) => {
    await start((socket) => socket.write(answerOf(body, `content-encoding: ${encoding}`)));

    expect(await send()).toMatchObject(done);
  });

  it.each([
    ["decodes to more than the limit", "gzip", gzipSync(Buffer.alloc(50 * 1024 * 1024))],
    ["can't be decoded", "gzip", Buffer.from(FLAG)],
    ["has an unknown encoding", "zstd", Buffer.from(FLAG)],
  ])("that %s is an answer without a body", async (_, encoding, body) => {
    await start((socket) => socket.write(answerOf(body, `content-encoding: ${encoding}`)));

    expect(await send()).toMatchObject({ ...done, body: Buffer.alloc(0) });
  });
});

const CONTINUE = "HTTP/1.1 100 Continue\r\n\r\n";
const HINTS = "HTTP/1.1 103 Early Hints\r\nlink: </a>; rel=preload\r\n\r\n";
const PROCESSING = "HTTP/1.1 102 Processing\r\nconnection: close\r\n\r\n";

describe("interim answers", () => {
  it.each([
    ["100", CONTINUE],
    ["102", PROCESSING],
    ["103", HINTS],
    ["several", CONTINUE + HINTS + CONTINUE + PROCESSING],
  ])("%s: are skipped", async (_, interim) => {
    await start((socket) => socket.write(interim + HTTP_DONE));

    expect(await send()).toMatchObject(done);
    expect(await send()).toMatchObject(done);
    expect(endpoint.connections).toBe(1);
  });

  it("are skipped when they arrive byte by byte", async () => {
    const written = CONTINUE + HINTS + HTTP_DONE;
    await start((socket) => {
      socket.setNoDelay(true);
      void (async () => {
        for (const byte of written) {
          socket.write(byte);
          await new Promise((resolve) => setImmediate(resolve));
        }
      })();
    });

    expect(await send()).toMatchObject(done);
  });

  it("are skipped when the final answer arrives later", async () => {
    await start((socket) => {
      socket.write(CONTINUE);
      setImmediate(() => socket.write(HTTP_DONE));
    });

    expect(await send()).toMatchObject(done);
  });

  it("that never end are a timeout", async () => {
    const written: Promise<unknown>[] = [];
    await start((socket) => {
      socket.write(CONTINUE.repeat(1000));
      written.push(once(socket, "drain").catch(() => undefined));
      clock.advance(5000);
    });

    expect(await send()).toStrictEqual({ kind: "lost", error: "No answer within 5000 ms" });
  });

  it("of status 101 are a fault, because another protocol would follow", async () => {
    await start((socket) =>
      socket.write("HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n"),
    );

    expect(await send()).toMatchObject({ kind: "lost" });
  });
});

describe("an endless answer", () => {
  it("is read up to the limit of headers", async () => {
    await start((socket) => {
      const more = (): void => {
        if (socket.destroyed) return;
        socket.write(`x-${"y".repeat(1000)}: z\r\n`, () => setImmediate(more));
      };
      socket.write("HTTP/1.1 200 OK\r\n");
      more();
    });

    expect(await send()).toMatchObject({ kind: "lost" });
  });

  it("is read up to the limit of a 1xx answer", async () => {
    await start((socket) => {
      const more = (): void => {
        if (socket.destroyed) return;
        socket.write(`x-${"y".repeat(1000)}: z\r\n`, () => setImmediate(more));
      };
      socket.write("HTTP/1.1 103 Early Hints\r\n");
      more();
    });

    expect(await send()).toMatchObject({ kind: "lost" });
  });
});

describe("a header that HTTP can't carry", () => {
  it("is omitted, and the request is sent", async () => {
    await start((socket) => socket.write(HTTP_DONE));

    expect(
      await send([
        ...["tracestate", "a=b\n"],
        ...["x-nul", "a\0b"],
        ...["x-wide", "€"],
        ...["bad name", "v"],
        ...["", "v"],
        ...["x-café", "v"],
        ...["x-kept", "caf\u00e9"],
      ]),
    ).toMatchObject(done);
    const head = endpoint.requests[0]?.text.toLowerCase() ?? "";
    expect(head).toContain("x-kept: caf\u00e9\r\n");
    for (const name of ["tracestate", "x-nul", "x-wide", "bad name", "x-caf\u00e9"]) {
      expect(head).not.toContain(name);
    }
  });
});
