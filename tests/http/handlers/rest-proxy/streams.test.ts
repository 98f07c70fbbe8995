import { once } from "node:events";
import { connect } from "node:net";
import fc from "fast-check";
import { GatewayError } from "../../../../src/errors.ts";
import { createFakeClock } from "../../../support/fake-clock.ts";
import { openRaw, type RawConnection } from "../../raw.ts";
import { brokenBroker, LIMIT, PARTNER_KEY, type TestOptions } from "../../support.ts";
import { error, json, linesOf, RECORDS, serve, type ServedGateway } from "./support.ts";

const gateways: ServedGateway[] = [];

const start = async (options: TestOptions = {}): Promise<ServedGateway> => {
  const gateway = await serve(options);
  gateways.push(gateway);
  return gateway;
};

afterEach(async () => {
  for (const gateway of gateways.splice(0)) await gateway.server.drain({ graceMs: 0 });
});

const text = (record: unknown): string => JSON.stringify(record);
const codes = (reports: readonly Record<string, unknown>[]): unknown[] =>
  reports.map((report) => report["error_code"]);

const HEAD = [
  `POST ${RECORDS} HTTP/1.1`,
  "Host: gateway",
  `X-Api-Key: ${PARTNER_KEY}`,
  "Content-Type: application/json",
  "Transfer-Encoding: chunked",
];

/** A raw connection, so that the test decides when each chunk is sent. */
const openStream = async (gateway: ServedGateway, ...more: string[]) => {
  const raw = await openRaw(gateway.port);
  raw.socket.write([...HEAD, ...more, "", ""].join("\r\n"));
  return {
    ...raw,
    send: (chunk: string) => {
      raw.socket.write(`${Buffer.byteLength(chunk).toString(16)}\r\n${chunk}\r\n`);
    },
    finish: () => {
      raw.socket.write("0\r\n\r\n");
    },
    reports: () => reportsIn(raw),
  };
};

const reportsIn = ({ received }: RawConnection): Record<string, unknown>[] =>
  linesOf(
    received()
      .split("\r\n")
      .filter((line) => line.startsWith("{"))
      .join(""),
  );

describe("a v3 stream", () => {
  it.each(["", "\n", " \r\n "])("reports each record in order, with %j between them", async (separator) => {
    const gateway = await start();
    const records = [
      json({ n: 1 }),
      { key: { type: "STRING", data: "ключ" } },
      { vlaue: 1 },
      { value: { data: "eA==" } },
    ];
    const { status, reports } = await gateway.stream(RECORDS, [records.map(text).join(separator)]);
    expect(status).toBe(200);
    const at = {
      error_code: 200,
      cluster_id: "any",
      topic_name: "plain",
      partition_id: 0,
      timestamp: expect.any(String) as unknown,
    };
    expect(reports).toEqual([
      { ...at, offset: 0, value: { type: "JSON", size: 7 } },
      { ...at, offset: 1, key: { type: "STRING", size: 8 } },
      error(400, "Unrecognized field: vlaue"),
      { ...at, offset: 2, value: { type: "BINARY", size: 1 } },
    ]);
  });

  it("has the same reports for chunks of any size", async () => {
    const gateway = await start();
    const body = Buffer.from(
      [json("☃😀}{"), { value: { data: "?" } }, json('\\"'), json(4)].map(text).join(""),
    );
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: body.length }), async (size) => {
        const chunks = Array.from({ length: Math.ceil(body.length / size) }, (_, n) =>
          body.subarray(n * size, (n + 1) * size),
        );
        const { reports } = await gateway.stream(RECORDS, chunks);
        expect(codes(reports)).toEqual([200, 400, 200, 200]);
      }),
      { numRuns: 40, examples: [[1], [2], [3]] },
    );
  });

  it("answers the headers at once and each report while the stream is open", async () => {
    const gateway = await start();
    const stream = await openStream(gateway);
    const head = await stream.until("\r\n\r\n");
    expect(head).toContain("200 OK");
    expect(head.toLowerCase()).toContain("x-accel-buffering: no");
    for (const n of [0, 1, 2]) {
      stream.send(text(json(n)));
      await stream.until(`"offset":${n}`);
    }
    stream.finish();
    await stream.until("\r\n0\r\n\r\n");
    expect(codes(stream.reports())).toEqual([200, 200, 200]);
    expect(await gateway.records("plain")).toHaveLength(3);
  });

  it("keeps the connection open for the next request after the client has ended the stream", async () => {
    const gateway = await start();
    const stream = await openStream(gateway);
    stream.send(text(json(1)));
    stream.finish();
    await stream.until("\r\n0\r\n\r\n");
    stream.socket.write("GET /healthz HTTP/1.1\r\nHost: gateway\r\n\r\n");
    await stream.until('{"status":"ok"}');
  });

  it("answers 100 Continue to a client that expects it", async () => {
    const gateway = await start();
    const stream = await openStream(gateway, "Expect: 100-continue");
    const head = await stream.until("\r\n\r\nHTTP/1.1 200 OK");
    expect(head).toMatch(/^HTTP\/1\.1 100 Continue\r\n\r\n/);
    stream.send(text(json(1)));
    await stream.until('"offset":0');
  });

  it("ends after broken JSON with a report of the error", async () => {
    const gateway = await start();
    const stream = await openStream(gateway);
    stream.send(`${text(json(1))}{"a":1]}${text(json(2))}`);
    await stream.closed();
    expect(stream.reports()).toEqual([
      expect.objectContaining({ offset: 0 }),
      error(400, expect.any(String)),
    ]);
    expect(await gateway.records("plain")).toHaveLength(1);
  });

  it.each(['{ value": {"type":"JSON","data":1}}', '{"value":[}'])("ends at once at %s", async (broken) => {
    const gateway = await start();
    const stream = await openStream(gateway);
    stream.send(`${text(json(1))}${broken}${text(json(2))}`);
    await stream.closed();
    expect(codes(stream.reports())).toEqual([200, 400]);
    expect(await gateway.records("plain")).toHaveLength(1);
  });

  it("continues after JSON that is not a record", async () => {
    const gateway = await start();
    const { reports } = await gateway.stream(RECORDS, [`${text(json(1))}[1]null"t" 5 ${text(json(2))}`]);
    expect(codes(reports)).toEqual([200, 400, 400, 400, 400, 200]);
  });

  it("ends after a record that is too large with a report of the error", async () => {
    const gateway = await start();
    for (const size of [LIMIT, 4 * LIMIT]) {
      const stream = await openStream(gateway);
      stream.send(
        text(json(1)) + text({ value: { type: "STRING", data: "x".repeat(size + 1) } }) + text(json(2)),
      );
      await stream.closed();
      expect(stream.reports()).toEqual([
        expect.objectContaining({ error_code: 200 }),
        error(413, "Request Entity Too Large"),
      ]);
    }
  });

  it("reports an error of the topic for each record", async () => {
    const gateway = await start();
    for (const [topic, code] of [
      ["nope", 40403],
      ["hidden", 40301],
      ["missing-topic", 40403],
    ] as const) {
      const { status, reports } = await gateway.stream(RECORDS.replace("plain", topic), ["{}{}"]);
      expect([status, codes(reports)]).toEqual([200, [code, code]]);
    }
  });

  it("refuses only the wrong records of a stream", async () => {
    const gateway = await start();
    const records = [
      json({ id: 1 }),
      json("bad"),
      { ...json(1), partition_id: 5 },
      json({ id: [] }),
      json({ id: 2 }),
    ];
    const { reports } = await gateway.stream(RECORDS.replace("plain", "orders"), [
      records.map(text).join(""),
    ]);
    expect(codes(reports)).toEqual([200, 42206, 40402, 42206, 200]);
  });

  it("reports unavailable and ambiguous failures differently, and continues", async () => {
    const failures = ["BROKER_UNAVAILABLE", "BROKER_AMBIGUOUS"] as const;
    let append = 0;
    const gateway = await start({
      broker: brokenBroker((_, all) => {
        const code = failures[append++];
        const outcome =
          code === undefined
            ? ({ status: "stored", partition: 0, offset: 5n, timestamp: 0 } as const)
            : ({ status: "failed", error: new GatewayError(code) } as const);
        return Promise.resolve(all.map(() => outcome));
      }),
    });
    const stream = await openStream(gateway);
    for (const n of [1, 2, 3]) {
      stream.send(text(json(n)));
      await stream.until(`"error_code":${[50302, 50003, 200][n - 1] ?? 0}`);
    }
    expect(stream.reports()).toMatchObject([
      { error_code: 50302, retriable: true },
      { error_code: 50003, retriable: true, ambiguous: true },
      { error_code: 200 },
    ]);
    expect(stream.reports()[0]).not.toHaveProperty("ambiguous");
    stream.socket.destroy();
  });

  it("refuses an encoding, a content type and a wrong key before it begins", async () => {
    const gateway = await start();
    const statuses = [];
    for (const headers of [
      { "content-encoding": "gzip" },
      { "content-type": "text/plain" },
      { "x-api-key": "wrong" },
    ])
      statuses.push((await gateway.stream(RECORDS, ["{}"], headers)).status);
    expect(statuses).toEqual([415, 415, 401]);
    expect((await gateway.stream(RECORDS, ["{}"], { "content-encoding": "identity" })).status).toBe(200);
  });

  it("ends after a time without input; white space counts as input", async () => {
    const clock = createFakeClock();
    const gateway = await start({ clock });
    const stream = await openStream(gateway);
    await clock.pending(30_000);
    clock.advance(29_000);
    stream.send(" ");
    stream.send(text(json(1)));
    await stream.until('"offset":0');
    clock.advance(29_000);
    expect(codes(stream.reports())).toEqual([200]);
    clock.advance(1000);
    await stream.closed();
    expect(stream.reports().at(-1)).toEqual(error(40801, expect.any(String), { retriable: true }));
  });

  it("ends with all its reports when the process shuts down", async () => {
    const gateway = await start();
    const streams = await Promise.all([openStream(gateway), openStream(gateway)]);
    for (const stream of streams) {
      stream.send(text(json(1)));
      await stream.until('"error_code":200');
    }
    gateway.stopStreams();
    const drained = gateway.server.drain({ graceMs: 5000, idleMs: 10 });
    for (const stream of streams) {
      await stream.closed();
      expect(codes(stream.reports())).toEqual([200, 50302]);
    }
    await drained;
  });

  it("limits the rate of a client record by record", async () => {
    const gateway = await start();
    const headers = { "x-api-key": "slow-key-0123456789" };
    const { status, reports } = await gateway.stream(
      RECORDS,
      [[1, 2, 3, 4].map((n) => text(json(n))).join("")],
      headers,
    );
    expect([status, codes(reports)]).toEqual([200, [200, 200, 42901, 42901]]);
    expect(reports[2]).toEqual(
      error(42901, "Too many requests", { retriable: true, retry_after_ms: expect.any(Number) as unknown }),
    );
    expect(Number(reports[2]?.["retry_after_ms"])).toBeLessThanOrEqual(500);
    expect(await gateway.records("plain")).toHaveLength(2);
  });
});

describe("the gateway", () => {
  it("stops reading from a client that never reads its reports", async () => {
    const gateway = await start({ streamLimits: { maxUnanswered: 50 } });
    const socket = connect({ port: gateway.port, host: "127.0.0.1" });
    await once(socket, "connect");
    socket.pause();
    socket.write([...HEAD, "", ""].join("\r\n"));
    const records = text(json("x")).repeat(1000);
    const chunk = `${records.length.toString(16)}\r\n${records}\r\n`;
    // The gateway reads until the buffers of the kernel and the window of the stream are full.
    let sent = 0;
    const mib = (): number => socket.writableLength / 2 ** 20;
    for (; mib() < 4 && sent < 3000; sent++) {
      socket.write(chunk);
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(sent).toBeLessThan(3000);
    socket.destroy();
  });

  it("reports broken chunks", async () => {
    const gateway = await start();
    const stream = await openStream(gateway);
    stream.send(text(json(1)));
    await stream.until('"offset":0');
    stream.socket.write("nonsense\r\n");
    await stream.closed();
    expect(codes(stream.reports())).toEqual([200, 400]);
  });

  it("stores and logs the complete records of a client that closes the connection", async () => {
    const gateway = await start();
    const stream = await openStream(gateway);
    stream.send(text(json(1)) + text(json(2)));
    await stream.until('"offset":1');
    stream.send('{"value":');
    stream.socket.destroy();
    while (gateway.lines.length === 0) await new Promise((resolve) => setImmediate(resolve));
    expect(gateway.lines[0]).toMatchObject({ code: "BODY_INCOMPLETE", station: "plain", stored: 2 });
    expect(await gateway.records("plain")).toHaveLength(2);
  });
});
