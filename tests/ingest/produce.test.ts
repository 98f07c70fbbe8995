import { verifiedPrincipal } from "../../src/auth/principal.ts";
import type { AppendOutcome, BrokerRecord } from "../../src/broker/broker.ts";
import { GatewayError } from "../../src/errors.ts";
import {
  createProduce,
  type EventOutcome,
  type IncomingEvent,
  type ProduceOptions,
} from "../../src/ingest/produce.ts";
import { type EventValidator, schemaRefused } from "../../src/ingest/schema/validator.ts";
import type { Station } from "../../src/ingest/stations.ts";

const principal = verifiedPrincipal({
  kind: "account",
  name: "app1",
  mayProduce: (station) => station !== "secret",
  mayConsume: () => false,
  origins: [],
  limits: {},
});
const station = (overrides: Partial<Station> = {}): Station => ({
  name: "orders",
  topic: "shop.orders",
  key: undefined,
  validator: undefined,
  ...overrides,
});
const event = (value: string | null, overrides: Partial<IncomingEvent> = {}): IncomingEvent => ({
  value: value === null ? null : Buffer.from(value),
  contentType: "application/json",
  headers: [],
  ...overrides,
});
const said = (outcome: EventOutcome): string =>
  outcome.status === "stored" ? `stored ${outcome.offset}` : outcome.error.message;

/** A batcher that stores at growing offsets whatever `fails` lets through. */
const setUp = (
  options: Partial<ProduceOptions> = {},
  fails: (record: BrokerRecord, append: number) => GatewayError | undefined = () => undefined,
) => {
  const appended: BrokerRecord[][] = [];
  const ended: string[] = [];
  let offset = 0n;
  const append = (topic: string, records: readonly BrokerRecord[]): Promise<readonly AppendOutcome[]> => {
    expect(topic).toBe("shop.orders");
    appended.push([...records]);
    return Promise.resolve(
      records.map((record): AppendOutcome => {
        const error = fails(record, appended.length);
        return error === undefined
          ? { status: "stored", partition: 0, offset: offset++, timestamp: record.timestamp }
          : { status: "failed", error };
      }),
    );
  };
  const produce = createProduce({
    batcher: { append },
    stations: { recreate: () => Promise.resolve(false) },
    now: () => 1000,
    maxEventBytes: 20,
    maxKeyBytes: 10,
    maxHeaders: 2,
    maxHeaderBytes: 30,
    eventsEnded: (name, outcome, count) => ended.push(`${name} ${outcome} ${count}`),
    ...options,
  });
  return {
    appended,
    ended,
    send: async (to: Station, ...events: (IncomingEvent | GatewayError)[]) =>
      (await produce({ principal, station: to, events })).map(said),
  };
};

/** Accepts events that begin with a brace and marks them. */
const validator: EventValidator = {
  kind: "json-schema",
  validate: (value, contentType) =>
    value[0] === 0x7b
      ? { status: "accepted", value, contentType: `${contentType ?? ""};judged` }
      : schemaRefused("no"),
};

describe("produce", () => {
  it("stores an event as it came, with its content type first among its headers", async () => {
    const { send, appended, ended } = setUp();
    const own = { name: "x-a", value: Buffer.from("1") };
    const sent = event("{ }", { headers: [own] });
    expect(await send(station(), sent)).toEqual(["stored 0"]);
    expect(appended).toEqual([
      [
        {
          key: null,
          value: Buffer.from("{ }"),
          headers: [{ name: "content-type", value: Buffer.from("application/json") }, own],
          timestamp: 1000,
        },
      ],
    ]);
    expect(appended[0]?.[0]?.value).toBe(sent.value);
    expect(ended).toEqual(["orders stored 1"]);
  });

  it("keeps what an API says of key, partition, time and tombstones", async () => {
    const { send, appended } = setUp();
    const key = Buffer.from("k");
    const keyed = station({ key: "/id", validator });
    await send(
      keyed,
      event('{"id":1}', { key, partition: 3, timestamp: 5, contentType: undefined }),
      event(null, { key, contentType: undefined }),
      event('{"id":1}', { key: null }),
    );
    expect(appended[0]).toMatchObject([
      { key, partition: 3, timestamp: 5, headers: [{ name: "content-type", value: Buffer.from(";judged") }] },
      { key, value: null, headers: [], timestamp: 1000 },
      { key: null },
    ]);
  });

  it("refuses whoever may not, before anything is stored", async () => {
    const { send, appended } = setUp();
    await expect(send(station({ name: "secret" }), event("{}"))).rejects.toMatchObject({
      code: "STATION_FORBIDDEN",
      message: "user app1 is not allowed to access station secret",
    });
    expect(appended).toEqual([]);
  });

  it("stores the good events of a batch, whatever their place", async () => {
    const { send, appended, ended } = setUp();
    const outcomes = await send(
      station({ validator }),
      event("1"),
      event("{}"),
      event(`{"long":"${"x".repeat(20)}"}`),
      event("{ }"),
      event("[]"),
    );
    expect(outcomes).toEqual([
      "Schema validation has failed: no",
      "stored 0",
      "Request Entity Too Large",
      "stored 1",
      "Schema validation has failed: no",
    ]);
    expect(appended[0]?.map(({ value }) => String(value))).toEqual(["{}", "{ }"]);
    expect(ended).toEqual(["orders stored 2", "orders refused 3"]);
  });

  it("takes what its API couldn't read for that event's outcome", async () => {
    const { send, ended } = setUp();
    const unread = new GatewayError("JSON_INVALID");
    expect(await send(station(), event("{}"), unread, event("[]"))).toEqual([
      "stored 0",
      "Invalid JSON",
      "stored 1",
    ]);
    expect(ended).toEqual(["orders stored 2", "orders refused 1"]);
  });

  it("refuses the event alone whose key or headers are too much", async () => {
    const { send } = setUp();
    const header = (size: number) => ({ name: "h", value: Buffer.alloc(size) });
    expect(
      await send(
        station({ key: "/id" }),
        event("{}", { key: Buffer.alloc(11) }),
        event('{"id":12345678901}'),
        event("{}", { headers: [header(0), header(0), header(0)] }),
        event("{}", { headers: [header(14), header(15)] }),
        event(null, { headers: [header(14), header(15)] }),
        event("{}", { key: Buffer.alloc(10), headers: [header(14), header(14)] }),
      ),
    ).toEqual([
      "The record's key has 11 bytes; limits.keySize allows 10",
      "The record's key has 11 bytes; limits.keySize allows 10",
      "The record has 3 headers; limits.recordHeaders allows 2",
      "The record's headers have 31 bytes; limits.recordHeaderSize allows 30",
      "The record's headers have 31 bytes; limits.recordHeaderSize allows 30",
      "stored 0",
    ]);
  });

  it("tells the broker's outcomes apart", async () => {
    const errors = [undefined, new GatewayError("BROKER_UNAVAILABLE"), new GatewayError("BROKER_AMBIGUOUS")];
    const { send, ended } = setUp({}, ({ value }) => errors[Number(value)]);
    expect(await send(station(), event("0"), event("1"), event("2"))).toEqual([
      "stored 0",
      "Server error",
      "Server error",
    ]);
    expect(ended).toEqual(["orders stored 1", "orders unavailable 1", "orders unknown 1"]);
  });

  it("answers no events with no outcomes", async () => {
    const { send, ended } = setUp();
    expect(await send(station())).toEqual([]);
    expect(ended).toEqual([]);
  });
});

describe("the key", () => {
  const keyed = station({ key: "/id" });

  it("is taken from the event, a number by its digits", async () => {
    const { send, appended } = setUp();
    await send(keyed, event('{"id":"a"}'), event('{"id":1.50}'), event('{"id":null}'), event("{}"));
    expect(appended[0]?.map(({ key }) => key?.toString())).toEqual(["a", "1.50", undefined, undefined]);
  });

  it("refuses the event that has something else there", async () => {
    const { send } = setUp();
    expect(await send(keyed, event('{"id":[]}'), event("{}"))).toEqual([
      "The event's key is neither a string nor a number",
      "stored 0",
    ]);
  });

  it("is read whatever the content type, and is none where the event is no JSON", async () => {
    const { send, appended } = setUp();
    await send(
      keyed,
      event('{"id":"a"}', { contentType: "text/plain" }),
      event("id", { contentType: "text/plain" }),
      event('{"id":"a"', { contentType: undefined }),
    );
    expect(appended[0]?.map(({ key }) => key?.toString())).toEqual(["a", undefined, undefined]);
  });

  it("of an encoded event is read from what it means", async () => {
    const { send, appended } = setUp();
    const encoding: EventValidator = {
      ...validator,
      asJson: (value) => Buffer.from(`{"id":"${value.length}"}`),
    };
    await send(station({ key: "/id", validator: encoding }), event('{"x":1}'));
    expect(appended[0]?.[0]?.key?.toString()).toBe("7");
  });
});

describe("a topic that has gone", () => {
  const gone = (_: BrokerRecord, append: number): GatewayError | undefined =>
    append === 1 ? new GatewayError("STATION_UNKNOWN") : undefined;

  it("is an unknown station", async () => {
    const { send, ended } = setUp({}, gone);
    expect(await send(station(), event("{}"))).toEqual(["Station orders does not exist"]);
    expect(ended).toEqual(["orders refused 1"]);
  });

  it("is made anew where stations create themselves, and its events are stored", async () => {
    const recreate = (): Promise<boolean> => Promise.resolve(true);
    const { send, appended } = setUp({ stations: { recreate } }, (record, append) =>
      String(record.value) === "1" ? undefined : gone(record, append),
    );
    expect(await send(station(), event("0"), event("1"), event("2"))).toEqual([
      "stored 1",
      "stored 0",
      "stored 2",
    ]);
    expect(appended[1]?.map(({ value }) => String(value))).toEqual(["0", "2"]);
  });

  it("fails its events when the broker can't make it", async () => {
    const recreate = (): Promise<boolean> => Promise.reject(new GatewayError("BROKER_UNAVAILABLE"));
    const { send, ended } = setUp({ stations: { recreate } }, gone);
    expect(await send(station(), event("{}"))).toEqual(["Server error"]);
    expect(ended).toEqual(["orders unavailable 1"]);
  });
});
