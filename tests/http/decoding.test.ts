/** The parameter `decode` of consume/batch, of event streams and of the operators' tail. */
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { createDecoder } from "../../src/registry/decoder.ts";
import { type OpenedStream, openStream } from "../support/event-streams.ts";
import { createFakeSchemas, type FakeSchemas, framed } from "../support/registry/fake-schemas.ts";
import { ADMIN_TOKEN, createTestGateway, type TestGateway } from "./support.ts";

const KEY = { "X-Api-Key": "sink-key-0123456789" };

let schemas: FakeSchemas;
let gateway: TestGateway;
let servers: Server[];
let [clients, operators] = ["", ""];
const opened: OpenedStream[] = [];

const listen = async (app: TestGateway["app"]): Promise<string> => {
  const server = createServer(app);
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
};

beforeEach(async () => {
  schemas = createFakeSchemas();
  gateway = await createTestGateway({ decoder: createDecoder(schemas) });
  servers = [];
  [clients, operators] = [await listen(gateway.app), await listen(gateway.admin)];
});

afterEach(async () => {
  for (const stream of opened.splice(0)) stream.close();
  gateway.stopStreams();
  for (const server of servers) {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
});

const store = (...values: readonly (Buffer | null)[]) =>
  gateway.broker.append(
    "plain",
    values.map((value) => ({ key: null, value, headers: [], timestamp: 0 })),
  );

const consume = async (decode: string | undefined, count = 1) => {
  const answer = await fetch(`${clients}/stations/plain/consume/batch`, {
    method: "POST",
    headers: { ...KEY, "Content-Type": "application/json" },
    body: JSON.stringify({ consumer_name: "c", batch_size: count, batch_max_wait_time_ms: 5000, decode }),
  });
  return [answer.status, await answer.json()];
};

const stream = async (path: string, headers: Record<string, string> = KEY): Promise<OpenedStream> => {
  const one = await openStream(path, headers);
  opened.push(one);
  return one;
};

const FIRST = framed(7, '{"n":1}');

describe("consume/batch", () => {
  it("decodes what can be decoded, and gives the rest as stored", async () => {
    await store(FIRST, framed(7, "broken"), Buffer.from('{"n":3}'));
    expect(await consume("json", 3)).toEqual([
      200,
      [
        { message: '{"n":1}', headers: { "stationgate-schema-id": "7" } },
        {
          message: framed(7, "broken").toString("base64"),
          headers: {
            "stationgate-encoding": "base64",
            "stationgate-decode-error": "the payload ends early",
          },
        },
        {
          message: Buffer.from('{"n":3}').toString("base64"),
          headers: {
            "stationgate-encoding": "base64",
            "stationgate-decode-error": "the value has no schema id",
          },
        },
      ],
    ]);
  });

  it("decodes nothing by default on a station without a registered schema", async () => {
    await store(Buffer.from("a"), FIRST, FIRST);
    expect(await consume(undefined)).toEqual([200, [{ message: "a", headers: {} }]]);
    expect(await consume("none")).toMatchObject([200, [{ message: FIRST.toString() }]]);
    expect(await consume("avro-json")).toMatchObject([200, [{ message: '{"form":{"n":1}}' }]]);
  });

  it("answers 503 while the registry is unavailable, and consumes nothing", async () => {
    schemas.isAvailable = false;
    await store(framed(101, "1"));
    expect(await consume("json")).toMatchObject([503, { success: false }]);
    schemas.isAvailable = true;
    expect(await consume("json")).toMatchObject([200, [{ message: "1" }]]);
  });

  it("refuses another decoding", async () => {
    expect(await consume("xml")).toEqual([
      400,
      { error: 'decode must be none, json or avro-json (got "xml")', success: false },
    ]);
  });
});

it("without a registry, decoding is refused", async () => {
  gateway = await createTestGateway();
  clients = await listen(gateway.app);
  expect(await consume("json")).toEqual([
    400,
    { error: "decode=json needs a schema registry, and none is configured", success: false },
  ]);
});

describe("consume/stream", () => {
  it("decodes values, and filters by the decoded value", async () => {
    const path = `${clients}/stations/plain/consume/stream?decode=json`;
    const all = await stream(path, { ...KEY, Accept: "application/x-ndjson" });
    const some = await stream(`${path}&filter=/n==2`, { ...KEY, Accept: "application/x-ndjson" });
    await Promise.all([all.seen('{"id":'), some.seen('{"id":')]);
    await store(FIRST, framed(7, '{"n":2}'), framed(7, "broken"), null);
    await Promise.all([all.seen("tombstone"), some.seen('"value"')]);
    expect(all.lines().slice(1)).toEqual([
      expect.objectContaining({ value: { n: 1 }, schemaId: 7 }),
      expect.objectContaining({ value: { n: 2 }, schemaId: 7 }),
      expect.objectContaining({
        value: framed(7, "broken").toString("base64"),
        base64: ["value"],
        decodeError: "the payload ends early",
      }),
      expect.objectContaining({ value: null, tombstone: true }),
    ]);
    expect(some.lines().slice(1)).toEqual([expect.objectContaining({ value: { n: 2 } })]);
  });

  it.each(["latest", "earliest"])("from %s waits for the registry, and loses no event", async (from) => {
    schemas.isAvailable = false;
    if (from === "earliest") await store(framed(101, "1"), FIRST);
    const path = `${clients}/stations/plain/consume/stream?decode=json&from=${from}`;
    const one = await stream(path, { ...KEY, Accept: "application/x-ndjson" });
    await one.seen('{"id":');
    if (from === "latest") await store(framed(101, "1"), FIRST);
    while (schemas.asked.length === 0) await new Promise(setImmediate);
    expect(one.text()).not.toContain('"value"');
    schemas.isAvailable = true;
    await one.seen('"offset":"1"');
    expect(one.lines().slice(1)).toMatchObject([{ value: 1 }, { value: { n: 1 } }]);
  });
});

it("the operators' tail shows decoded values, and why a value can't be decoded", async () => {
  await store(FIRST, Buffer.from("a"));
  const one = await stream(`${operators}/stations/plain/tail?last=2&decode=json`, {
    Authorization: `Bearer ${ADMIN_TOKEN}`,
  });
  await one.seen("decodeError");
  expect(one.text()).toContain(
    '"value":{"encoding":"utf-8","text":"{\\"n\\":1}","bytes":12,"truncated":false,"decoded":"avro","schemaId":7}',
  );
  expect(one.text()).toContain('"decodeError":"the value has no schema id"');
});
