import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import type { BrokerRecord } from "../../../../src/broker/broker.ts";
import { type OpenedStream, openStream } from "../../../support/event-streams.ts";
import { createFakeClock } from "../../../support/fake-clock.ts";
import { createTestGateway, type TestGateway, type TestOptions } from "../../support.ts";

const KEY = { "X-Api-Key": "sink-key-0123456789" };
const SSE = { Accept: "text/event-stream" };

let gateway: TestGateway;
let server: Server;
let url: string;
const opened: OpenedStream[] = [];

const start = async (options: TestOptions = {}): Promise<void> => {
  gateway = await createTestGateway(options);
  server = createServer(gateway.app);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/stations`;
};

const open = async (path: string, headers: Record<string, string> = {}): Promise<OpenedStream> => {
  const stream = await openStream(`${url}/${path}`, { ...KEY, ...headers });
  opened.push(stream);
  return stream;
};

const record = (value: string | Buffer | null, more: Partial<BrokerRecord> = {}): BrokerRecord => ({
  ...{ key: null, headers: [], timestamp: 1_700_000_000_000 },
  value: typeof value === "string" ? Buffer.from(value) : value,
  ...more,
});

const store = (...records: readonly BrokerRecord[]) => gateway.broker.append("plain", records);

/** Opens a stream and waits for its first id: it gets every event that is stored from now on. */
const listen = async (path: string, headers: Record<string, string> = {}): Promise<OpenedStream> => {
  const stream = await open(path, headers);
  await stream.seen(headers["Accept"] === SSE.Accept ? "id: " : '{"id":');
  return stream;
};

const bodyOf = async (stream: OpenedStream): Promise<unknown> => {
  await stream.over;
  return JSON.parse(stream.text());
};

afterEach(async () => {
  for (const stream of opened.splice(0)) stream.close();
  gateway.stopStreams();
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

describe("an open stream", () => {
  it("answers at once, and sends server-sent events", async () => {
    await start();
    const stream = await listen("plain/consume/stream", SSE);
    expect([stream.status, stream.headers]).toEqual([
      200,
      expect.objectContaining({
        "content-type": "text/event-stream",
        "cache-control": "no-store",
        "x-accel-buffering": "no",
        "access-control-allow-origin": "*",
      }),
    ]);
    await store(record('{"a":\r\n [1]}', { key: Buffer.from("k") }));
    await stream.seen("data: ");
    const [retry = "", first = "", event = ""] = stream.text().split("\n\n");
    expect(Number(/^retry: (\d{4})$/.exec(retry)?.[1])).toBeLessThanOrEqual(3000);
    expect(first).toMatch(/^id: [\w-]+$/);
    expect(event.replace(/^id: [\w-]+\n/, "")).toBe(
      'data: {"partition":0,"offset":"0","timestamp":1700000000000,"key":"k","headers":{},"value":{"a":   [1]}}',
    );
  });

  it("sends NDJSON with the id first, and names the parts that are base64", async () => {
    await start();
    const stream = await listen("plain/consume/stream");
    const headers = ["a", "b"].map((text) => ({ name: "x", value: Buffer.from(text) }));
    await store(
      record("no json", { headers: [...headers, { name: "y", value: Buffer.from([255]) }] }),
      record(Buffer.from([254])),
      record(null),
    );
    const [text, binary, tombstone] = await stream.events(3);
    expect(stream.text()).toMatch(/\n\{"id":"[\w-]+","partition":0,"offset":"0"/);
    expect(text).toMatchObject({
      value: "no json",
      headers: { x: ["a", "b"], y: "/w==" },
      base64: ["headers.y"],
    });
    expect(binary).toMatchObject({ value: "/g==", base64: ["value"] });
    expect(tombstone).toMatchObject({ value: null, tombstone: true });
  });

  it("continues after the last id: by the header, or else by the query", async () => {
    await start();
    await store(record("1"), record("2"), record("3"));
    const [first, second] = await (await open("plain/consume/stream?from=earliest")).events(3);
    const byQuery = await open(`plain/consume/stream?lastEventId=${first?.id ?? ""}`);
    expect((await byQuery.events(2)).map(({ value }) => value)).toEqual([2, 3]);
    byQuery.close();
    await byQuery.over;
    const byBoth = await open(`plain/consume/stream?from=earliest&lastEventId=${first?.id ?? ""}`, {
      "Last-Event-ID": second?.id ?? "",
    });
    expect((await byBoth.events(1)).map(({ value }) => value)).toEqual([3]);
  });

  it("starts at a time", async () => {
    await start();
    await store(record("1", { timestamp: 1000 }), record("2", { timestamp: 2000 }));
    const stream = await open("plain/consume/stream?from=1970-01-01T00:00:01.500Z");
    expect((await stream.events(1)).map(({ value }) => value)).toEqual([2]);
  });

  it("filters by values", async () => {
    await start();
    const stream = await listen("plain/consume/stream?filter=/a==1&filter=/b==x");
    await store(record('{"a":1,"b":"y"}'), record('{"a":"1","b":"x"}'), record('{"b":"x","a":1.0}'));
    expect((await stream.events(1)).map(({ offset }) => offset)).toEqual(["2"]);
  });

  it("selects the events of a webhook source, for those who may read its station", async () => {
    await start();
    const token = await gateway.token();
    const stream = await openStream(`${url}/github/consume/stream?from=earliest`, {
      Authorization: `Bearer ${token}`,
    });
    opened.push(stream);
    const headers = [{ name: "x-webhook-source", value: Buffer.from("github") }];
    await gateway.broker.append("hidden", [record("1"), record("2", { headers })]);
    expect((await stream.events(1)).map(({ value }) => value)).toEqual([2]);
    expect((await open("github/consume/stream")).status).toBe(403);
  });

  it("sends comments, and the newest id if a filter let nothing through", async () => {
    const clock = createFakeClock();
    await start({ clock });
    const stream = await listen("plain/consume/stream?filter=/a==1");
    await store(record("{}"));
    const [last] = stream.lines();
    for (let i = 0; i < 100 && stream.lines().length < 2; i++) {
      clock.advance(1000);
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(stream.text()).toContain('\n\n{"id":');
    expect(stream.lines().at(-1)?.id).not.toBe(last?.id);
  });

  it("ends with the reason when the process stops, when it is old, and when its key expires", async () => {
    const clock = createFakeClock(4_000_000_000_000 - 90_000);
    await start({ clock, eventStreams: { maxAge: 60_000 } });
    const old = await listen("plain/consume/stream");
    clock.advance(61_000);
    expect([await old.over, old.lines().at(-1)]).toEqual([true, { end: { reason: "age" } }]);
    const expiring = await listen("plain/consume/stream", { "X-Api-Key": "brief-key-0123456789" });
    clock.advance(30_000);
    expect([await expiring.over, expiring.lines().at(-1)]).toEqual([
      true,
      { end: { reason: "Unauthorized" } },
    ]);
    const last = await listen("plain/consume/stream", SSE);
    gateway.stopStreams();
    expect(await last.over).toBe(true);
    expect(last.text()).toMatch(/event: end\ndata: \{"reason":"shutdown"\}\n\n$/);
  });
});

describe("a request", () => {
  it("gets 429 above the number of streams", async () => {
    await start();
    await listen("plain/consume/stream");
    const second = await listen("plain/consume/stream");
    const refused = await open("plain/consume/stream");
    expect([refused.status, await bodyOf(refused)]).toEqual([
      429,
      { error: expect.stringContaining("reading.streams.perPrincipal") as string, success: false },
    ]);
    second.close();
    await second.over;
    expect((await listen("plain/consume/stream")).status).toBe(200);
  });

  it.each([
    ["plain/consume/stream?from=yesterday", 400],
    ["plain/consume/stream?filter=a", 400],
    ["plain/consume/stream?filter=a~b==1", 400],
    [`plain/consume/stream?${"filter=/a==1&".repeat(9)}`, 400],
    ["plain/consume/stream?encoding=hex", 400],
    ["plain/consume/stream?lastEventId=AAAA", 400],
    ["plain/consume/stream?lastEventId=%20", 400],
    ["orders/consume/stream", 403],
  ])("%s gets %d", async (path, status) => {
    await start();
    expect((await open(path)).status).toBe(status);
  });

  it("with the id of another station gets 400", async () => {
    await start();
    const token = `Bearer ${await gateway.token()}`;
    const other = await openStream(`${url}/hidden/consume/stream`, { Authorization: token });
    opened.push(other);
    await other.seen('{"id":');
    const id = other.lines()[0]?.id ?? "";
    const answer = async (path: string, headers: Record<string, string> = {}) => {
      const given = await fetch(`${url}/${path}`, { headers: { ...headers, Authorization: token } });
      return [given.status, ((await given.json()) as { error: string }).error];
    };
    expect(await answer(`plain/consume/stream?lastEventId=${id}`)).toEqual([
      400,
      "lastEventId is the id of another station",
    ]);
    expect(await answer("plain/consume/stream", { "Last-Event-ID": id })).toEqual([
      400,
      "Last-Event-ID is the id of another station",
    ]);
  });

  it("that accepts neither format gets 406", async () => {
    await start();
    expect((await open("plain/consume/stream", { Accept: "text/html" })).status).toBe(406);
  });

  it("without a credential gets 401, and a token in the query is accepted", async () => {
    await start();
    const none = await openStream(`${url}/plain/consume/stream`, {});
    const token = await gateway.token("reader");
    const query = await openStream(`${url}/plain/consume/stream?authorization=${token}`, {});
    opened.push(none, query);
    expect([none.status, query.status]).toEqual([401, 200]);
  });
});
