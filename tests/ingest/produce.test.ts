import { verifiedPrincipal } from "../../src/auth/principal.ts";
import type { AppendOutcome, BrokerRecord } from "../../src/broker/broker.ts";
import { GatewayError } from "../../src/errors.ts";
import type { CallId } from "../../src/ingest/event-ids.ts";
import {
  createProduce,
  type EventOutcome,
  type IncomingEvent,
  type PlacedRecord,
  type ProduceOptions,
  type ProduceRequest,
} from "../../src/ingest/produce.ts";
import type { CallSchemas, WrittenSchemas } from "../../src/ingest/schema/record-schemas.ts";
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
  outcome.status === "failed" ? outcome.error.message : `stored ${"offset" in outcome ? outcome.offset : ""}`;

/** A batcher that stores at increasing offsets. Records for which `fails` returns an error are not stored. */
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
    batcher: {
      watch: (topic, records, { ended }) => void append(topic, records).then(ended),
    },
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
    produce,
    send: async (to: Station, ...events: (IncomingEvent | GatewayError)[]) =>
      (await produce({ principal, station: to, events })).map(said),
  };
};

/** Accepts and marks events that begin with a brace. */
const validator: EventValidator = {
  kind: "json-schema",
  validate: (value, contentType) =>
    value[0] === 0x7b
      ? { status: "accepted", value, contentType: `${contentType ?? ""};judged` }
      : schemaRefused("no"),
};

describe("produce", () => {
  it("stores an event unchanged, with its content type as the first header", async () => {
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

  it("keeps the key, partition and time of an API, and stores tombstones", async () => {
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

  it("refuses a principal without the right before anything is stored", async () => {
    const { send, appended } = setUp();
    await expect(send(station({ name: "secret" }), event("{}"))).rejects.toMatchObject({
      code: "STATION_FORBIDDEN",
      message: "user app1 is not allowed to access station secret",
    });
    expect(appended).toEqual([]);
  });

  it("stores the valid events of a batch at every position", async () => {
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

  it("returns the error of an event that the API could not parse as its outcome", async () => {
    const { send, ended } = setUp();
    const unread = new GatewayError("JSON_INVALID");
    expect(await send(station(), event("{}"), unread, event("[]"))).toEqual([
      "stored 0",
      "Invalid JSON",
      "stored 1",
    ]);
    expect(ended).toEqual(["orders stored 2", "orders refused 1"]);
  });

  it("refuses only the event whose key or headers exceed a limit", async () => {
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

  it("returns the different outcomes of the broker", async () => {
    const errors = [undefined, new GatewayError("BROKER_UNAVAILABLE"), new GatewayError("BROKER_AMBIGUOUS")];
    const { send, ended } = setUp({}, ({ value }) => errors[Number(value)]);
    expect(await send(station(), event("0"), event("1"), event("2"))).toEqual([
      "stored 0",
      "Server error",
      "Server error",
    ]);
    expect(ended).toEqual(["orders stored 1", "orders unavailable 1", "orders unknown 1"]);
  });

  it("returns no outcomes for no events", async () => {
    const { send, ended } = setUp();
    expect(await send(station())).toEqual([]);
    expect(ended).toEqual([]);
  });
});

describe("the record key", () => {
  const keyed = station({ key: "/id" });

  it("is read from the event; a number keeps its digits", async () => {
    const { send, appended } = setUp();
    await send(keyed, event('{"id":"a"}'), event('{"id":1.50}'), event('{"id":null}'), event("{}"));
    expect(appended[0]?.map(({ key }) => key?.toString())).toEqual(["a", "1.50", undefined, undefined]);
  });

  it("refuses an event whose key is neither a string nor a number", async () => {
    const { send } = setUp();
    expect(await send(keyed, event('{"id":[]}'), event("{}"))).toEqual([
      "The event's key is neither a string nor a number",
      "stored 0",
    ]);
  });

  it("is read for every content type, and is absent if the event is not JSON", async () => {
    const { send, appended } = setUp();
    await send(
      keyed,
      event('{"id":"a"}', { contentType: "text/plain" }),
      event("id", { contentType: "text/plain" }),
      event('{"id":"a"', { contentType: undefined }),
    );
    expect(appended[0]?.map(({ key }) => key?.toString())).toEqual(["a", undefined, undefined]);
  });

  it("of a protobuf event is read from its JSON form", async () => {
    const { send, appended } = setUp();
    const encoding: EventValidator = {
      ...validator,
      asJson: (value) => Buffer.from(`{"id":"${value.length}"}`),
    };
    await send(station({ key: "/id", validator: encoding }), event('{"x":1}'));
    expect(appended[0]?.[0]?.key?.toString()).toBe("7");
  });
});

describe("a deleted topic", () => {
  const gone = (_: BrokerRecord, append: number): GatewayError | undefined =>
    append === 1 ? new GatewayError("STATION_UNKNOWN") : undefined;

  it("makes its station unknown", async () => {
    const { send, ended } = setUp({}, gone);
    expect(await send(station(), event("{}"))).toEqual(["Station orders does not exist"]);
    expect(ended).toEqual(["orders refused 1"]);
  });

  it("is recreated with autoCreateStations, and its events are stored", async () => {
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

  it("fails its events if the broker can't recreate it", async () => {
    const recreate = (): Promise<boolean> => Promise.reject(new GatewayError("BROKER_UNAVAILABLE"));
    const { send, ended } = setUp({ stations: { recreate } }, gone);
    expect(await send(station(), event("{}"))).toEqual(["Server error"]);
    expect(ended).toEqual(["orders unavailable 1"]);
  });
});

describe("events with ids", () => {
  const callId: CallId = { scope: ["call", "k"], windowMs: 1000, strict: true };
  const stored = (offset: bigint): EventOutcome => ({ status: "stored", partition: 0, offset, timestamp: 1 });

  /** Stores through homes that answer as told. `append` is the number of the append. */
  const setUpOnce = (
    outcomeOf: (placed: PlacedRecord, append: number) => EventOutcome = ({ place }) => stored(BigInt(place)),
    options: Partial<ProduceOptions> = {},
  ) => {
    const placed: (readonly PlacedRecord[])[] = [];
    const requests: ProduceRequest[] = [];
    const unit = setUp({
      once: (request) => {
        requests.push(request);
        if (request.callId === undefined) return undefined;
        return (records) => {
          placed.push(records);
          return Promise.resolve(records.map((record) => outcomeOf(record, placed.length)));
        };
      },
      ...options,
    });
    const places = (): unknown => placed.map((records) => records.map(({ place }) => place));
    return { ...unit, placed, places, requests };
  };

  it("go to the homes, and events without ids to the batcher", async () => {
    const { send, produce, appended, placed } = setUpOnce();
    await produce({ principal, station: station(), events: [event("1")], callId });
    expect(appended).toEqual([]);
    expect(placed).toMatchObject([[{ place: 0, record: { value: Buffer.from("1") } }]]);
    await send(station(), event("2"));
    expect(appended).toHaveLength(1);
    expect(placed).toHaveLength(1);
  });

  it("keep their places behind refused events", async () => {
    const { produce, places, ended } = setUpOnce();
    const unread = new GatewayError("JSON_INVALID");
    const outcomes = await produce({
      ...{ principal, station: station({ validator }), callId },
      events: [unread, event("{}"), event("1"), unread, event("{}"), event("{}")],
    });
    expect(places()).toEqual([[1, 4, 5]]);
    expect(outcomes.map(said)).toEqual([
      "Invalid JSON",
      "stored 1",
      "Schema validation has failed: no",
      "Invalid JSON",
      "stored 4",
      "stored 5",
    ]);
    expect(ended).toEqual(["orders stored 3", "orders refused 3"]);
  });

  it("keep their places in a topic that is created again", async () => {
    const gone: EventOutcome = { status: "failed", error: new GatewayError("STATION_UNKNOWN") };
    const { produce, places } = setUpOnce(
      ({ place }, append) => (append === 1 && place !== 1 ? gone : stored(BigInt(place))),
      { stations: { recreate: () => Promise.resolve(true) } },
    );
    const outcomes = await produce({
      ...{ principal, station: station(), callId },
      events: [event("0"), event("1"), event("2")],
    });
    expect(places()).toEqual([
      [0, 1, 2],
      [0, 2],
    ]);
    expect(outcomes.map(said)).toEqual(["stored 0", "stored 1", "stored 2"]);
  });

  it("are not counted as stored if they are duplicates", async () => {
    const { produce, ended } = setUpOnce(({ place }) =>
      place === 0
        ? stored(0n)
        : { status: "stored", partition: 0, offset: 9n, timestamp: 1, duplicate: true },
    );
    const request = { principal, station: station(), callId };
    const outcomes = await produce({ ...request, events: [event("0"), event("1"), event("2")] });
    expect(outcomes).toMatchObject([{ offset: 0n }, { duplicate: true }, { offset: 9n, duplicate: true }]);
    expect(ended).toEqual(["orders stored 1"]);
  });

  it("are sent in the order of the calls with the same order while the first call waits for schemas", async () => {
    let begin = (): void => undefined;
    const waiting = new Promise<void>((resolve) => {
      begin = resolve;
    });
    let calls = 0;
    const schemas = (): CallSchemas => ({
      waiting: calls++ === 0 ? waiting : undefined,
      judge: () => undefined,
      keyOf: () => undefined,
      tombstoneFault: () => undefined,
      written: () => ({}) as WrittenSchemas,
    });
    const { produce, placed } = setUpOnce(undefined, { schemas });
    const order = {};
    const request = { principal, station: station(), callId, order };
    const both = [
      produce({ ...request, events: [event("1")] }),
      produce({ ...request, events: [event("2")] }),
    ];
    await new Promise(setImmediate);
    expect(placed).toEqual([]);
    begin();
    await Promise.all(both);
    expect(placed.map(([first]) => String(first?.record.value))).toEqual(["1", "2"]);
  });
});
