import { verifiedPrincipal } from "../../../src/auth/principal.ts";
import type { BrokerRecord } from "../../../src/broker/broker.ts";
import type { GatewayError } from "../../../src/errors.ts";
import { createProduce, type EventOutcome, type IncomingEvent } from "../../../src/ingest/produce.ts";
import { createRecordSchemas, type SchemaName } from "../../../src/ingest/schema/record-schemas.ts";
import { loadRegistrySchema } from "../../../src/ingest/schema/registry.ts";
import {
  type FileValidator,
  type RegistryDeclaration,
  schemaRefused,
} from "../../../src/ingest/schema/validator.ts";
import type { Station } from "../../../src/ingest/stations.ts";
import { framed } from "../../support/registry/fake-schemas.ts";
import { createFakeRegistry } from "../../support/fake-registry.ts";

const principal = verifiedPrincipal({
  ...{ kind: "account", name: "app1", origins: [], limits: {} },
  ...{ mayProduce: () => true, mayConsume: () => false },
});

const PLAIN: Station = { name: "orders", topic: "shop.orders", key: undefined, validator: undefined };

const event = (value: string | Buffer | null, overrides: Partial<IncomingEvent> = {}): IncomingEvent => ({
  value: typeof value === "string" ? Buffer.from(value) : value,
  contentType: "application/json",
  headers: [],
  ...overrides,
});

const named = (
  value: string | null,
  name: SchemaName,
  overrides: Partial<IncomingEvent> = {},
): IncomingEvent =>
  event(value, { contentType: undefined, exactHeaders: true, valueSchema: name, ...overrides });

const byId = (id: number): SchemaName => ({ by: { kind: "id", id } });
const LATEST: SchemaName = { by: { kind: "latest" } };

const said = (outcome: EventOutcome): string =>
  outcome.status === "failed" ? `${outcome.error.code}: ${outcome.error.message}` : outcome.status;

const setUp = async (declared?: Partial<RegistryDeclaration>, key?: string) => {
  const registry = createFakeRegistry();
  const records: BrokerRecord[] = [];
  const declaration = { type: "registry", version: "latest", autoRegister: false, ...declared } as const;
  const context = {
    station: "orders",
    topic: "shop.orders",
    limits: { maxDepth: 20 },
    hasPointer: key !== undefined,
  };
  const validator = declared && (await loadRegistrySchema(declaration, { ...context, registry }));
  const station: Station = { ...PLAIN, key, validator };
  const produce = createProduce({
    batcher: {
      watch: (_, some, { ended }) => {
        const from = records.length;
        records.push(...some);
        ended(
          some.map(
            (_record, i) =>
              ({ status: "stored", partition: 0, offset: BigInt(from + i), timestamp: 1 }) as const,
          ),
        );
      },
    },
    stations: { recreate: () => Promise.resolve(false) },
    schemas: createRecordSchemas({
      ...{ registry, autoRegister: false },
      strategy: { key: "topic-name", value: "topic-name" },
    }),
    now: () => 1000,
    ...{ maxEventBytes: 200, maxKeyBytes: 30, maxHeaders: 2, maxHeaderBytes: 60 },
  });
  const send = (events: readonly (IncomingEvent | GatewayError)[], order?: object, to = station) =>
    produce({ principal, station: to, events, ...(order && { order }) });
  return {
    ...{ registry, records, station, send },
    tell: async (...events: IncomingEvent[]) => (await send(events)).map(said),
    values: () => records.map(({ value }) => value?.toString("latin1") ?? null),
    keys: () => records.map(({ key: bytes }) => bytes?.toString() ?? null),
  };
};

const text = (id: number, payload: string): string => framed(id, payload).toString("latin1");

describe("a registry station", () => {
  it("frames events, whatever their content type is, and names the frame in the header", async () => {
    const { registry, records, tell, values } = await setUp({});
    registry.add("shop.orders-value", "AVRO", { id: 7 });
    const own = { name: "x-a", value: Buffer.from("1") };
    expect(
      await tell(event('{ "a": 1 }'), event('{"b":2}', { contentType: "text/plain", headers: [own] })),
    ).toEqual(["stored", "stored"]);
    expect(values()).toEqual([text(7, 'A{"a":1}'), text(7, 'A{"b":2}')]);
    const type = { name: "content-type", value: Buffer.from("application/vnd.kafka.avro") };
    expect(records.map(({ headers }) => headers)).toEqual([[type], [type, own]]);
  });

  it("refuses the events that do not fit, with the words of the format, and stores the others", async () => {
    const { registry, tell, values } = await setUp({});
    registry.add("shop.orders-value", "JSONSCHEMA");
    expect(await tell(event('{"bad":1}'), event("{}"), event("{"), event("\xff"))).toEqual([
      "SCHEMA_REFUSED: Schema validation has failed: jsonschema: '/bad': not allowed",
      "stored",
      expect.stringMatching(/^SCHEMA_REFUSED: Schema validation has failed: Bad JSON format - /),
      expect.stringMatching(/^SCHEMA_REFUSED: Schema validation has failed: Bad JSON format - /),
    ]);
    expect(values()).toEqual([text(1, "J{}")]);
  });

  it("refuses events that are nested too deep", async () => {
    const { registry, tell } = await setUp({});
    registry.add("shop.orders-value", "AVRO");
    expect(await tell(event(`${"[".repeat(30)}${"]".repeat(30)}`))).toEqual([
      "JSON_TOO_DEEP: JSON is nested too deep",
    ]);
  });

  it("never frames a tombstone, and asks nothing for it", async () => {
    const { registry, tell, values } = await setUp({});
    expect(await tell(event(null, { key: Buffer.from("k") }))).toEqual(["stored"]);
    expect([values(), registry.asked]).toEqual([[null], []]);
  });

  it("answers 503 while its subject does not exist, and takes events afterwards", async () => {
    const { registry, tell, values } = await setUp({});
    expect(await tell(event("{}"))).toEqual([
      expect.stringMatching(/^REGISTRY_UNAVAILABLE: The schema of station/),
    ]);
    registry.add("shop.orders-value", "AVRO");
    expect(await tell(event("{}"))).toEqual(["stored"]);
    expect(values()).toEqual([text(1, "A{}")]);
  });

  it("takes the key from the JSON as sent, and from binary messages by their JSON form", async () => {
    const { registry, tell, keys, values } = await setUp({ message: "a.Second" }, "/id");
    registry.add("shop.orders-value", "PROTOBUF");
    const binary = { contentType: "application/x-protobuf" };
    expect(await tell(event('{"id":"1.0"}'), event('{"id":7}', binary), event('{"bad":7}', binary))).toEqual([
      "stored",
      "stored",
      "SCHEMA_REFUSED: Schema validation has failed: protobuf: '/bad': not allowed",
    ]);
    expect(keys()).toEqual(["1.0", "7"]);
    expect(values()).toEqual([text(1, 'PSecond{"id":"1.0"}'), text(1, 'PSecond{"id":7}')]);
  });

  it("reads a binary content type as JSON if its schema isn't Protobuf", async () => {
    const { registry, tell, values } = await setUp({});
    registry.add("shop.orders-value", "AVRO");
    await tell(event("{}", { contentType: "application/x-protobuf" }));
    expect(values()).toEqual([text(1, "A{}")]);
  });

  it("refuses an event that its schema makes too large", async () => {
    const { registry, tell } = await setUp({});
    registry.add("shop.orders-value", "AVRO");
    expect(await tell(event("0".repeat(201)))).toEqual([expect.stringMatching(/^RECORD_TOO_LARGE/)]);
  });

  it("refuses the events after those that its schema has made too large together", async () => {
    const { registry, tell } = await setUp({});
    registry.add("shop.orders-value", "AVRO");
    expect(await tell(event("26"))).toEqual([expect.stringMatching(/^RECORD_TOO_LARGE: Request/)]);
    const small = Array.from({ length: 100 }, () => event("{}"));
    const told = await tell(...small, event("24"), event("24"), event("24"), event("{}"));
    const refused = expect.stringMatching(/^RECORD_TOO_LARGE: The defaults of the schema/) as string;
    expect(told).toEqual([...Array.from({ length: 102 }, () => "stored"), refused, refused]);
    expect(await tell(event("24"))).toEqual(["stored"]);
  });

  it("asks one question for all events of a call, and none if the answer is known", async () => {
    const { registry, tell } = await setUp({});
    registry.add("shop.orders-value", "AVRO");
    await tell(...Array.from({ length: 50 }, () => event("{}")));
    await tell(event("{}"));
    expect(registry.asked).toHaveLength(1);
  });
});

describe("framed bytes at a registry station", () => {
  const frame = (id: number, payload: string) => event(framed(id, payload), { exactHeaders: true });

  it("are stored as they are if the id belongs to the subject and the payload decodes", async () => {
    const { registry, tell, values, keys } = await setUp({}, "/id");
    registry.add("shop.orders-value", "AVRO");
    registry.add("shop.orders-value", "JSONSCHEMA");
    expect(await tell(frame(1, 'A{"id":5}'), frame(2, 'J{ "id":6}'))).toEqual(["stored", "stored"]);
    expect([values(), keys()]).toEqual([
      [text(1, 'A{"id":5}'), text(2, 'J{ "id":6}')],
      ["5", "6"],
    ]);
  });

  it.each([
    ["an id of another subject", framed(2, "A{}")],
    ["an unknown id", framed(9, "A{}")],
    ["a payload of another schema", framed(1, "J{}")],
    ["id 0", framed(0, "A{}")],
    ["an id above 2^31-1", framed(2 ** 31, "A{}")],
    ["only byte 0", Buffer.alloc(1)],
  ])("are refused with %s", async (_, bytes) => {
    const { registry, tell, values } = await setUp({});
    registry.add("shop.orders-value", "AVRO");
    registry.add("other", "AVRO");
    expect(await tell(event(bytes), event("{}"))).toEqual([
      expect.stringMatching(/^FRAME_REFUSED: /),
      "stored",
    ]);
    expect(values()).toEqual([text(1, "A{}")]);
  });

  it("are not refused while the registry is unavailable", async () => {
    const { registry, tell } = await setUp({});
    registry.isDown = true;
    expect(await tell(frame(1, "A{}"))).toEqual(["REGISTRY_UNAVAILABLE: The schema registry is unavailable"]);
  });

  it("may have their id in a record header, which must not contradict the value", async () => {
    const { registry, tell, values } = await setUp({});
    registry.add("shop.orders-value", "AVRO");
    registry.add("other", "AVRO");
    const withId = (id: number) => ({
      exactHeaders: true as const,
      headers: [{ name: "__value_schema_id", value: framed(id, "") }],
    });
    const guid = { headers: [{ name: "__value_schema_id", value: Buffer.alloc(17, 1) }] };
    expect(
      await tell(
        event("A{}", withId(1)),
        event("{}", withId(1)),
        event("A{}", withId(2)),
        event("A{}", guid),
      ),
    ).toEqual([
      "stored",
      expect.stringMatching(/^FRAME_REFUSED: /),
      expect.stringMatching(/^FRAME_REFUSED: /),
      expect.stringMatching(/^FRAME_REFUSED: /),
    ]);
    expect(values()).toEqual(["A{}"]);
  });
});

describe("a record that names its schema", () => {
  it("is framed on a station without a schema, its key too, without a content type", async () => {
    const { registry, records, tell, values, keys } = await setUp();
    registry.add("shop.orders-value", "AVRO", { id: 7 });
    registry.add("shop.orders-key", "JSONSCHEMA", { id: 8 });
    const key = { key: Buffer.from('"k"'), keySchema: LATEST };
    expect(await tell(named('{"a":1}', byId(7), key), event('{"a":1}'))).toEqual(["stored", "stored"]);
    expect(values()).toEqual([text(7, 'A{"a":1}'), '{"a":1}']);
    expect(keys()).toEqual([framed(8, 'J"k"').toString(), null]);
    expect(records[0]?.headers).toEqual([]);
  });

  it("has its schemas and its stored sizes in its outcome", async () => {
    const { registry, send } = await setUp();
    registry.add("shop.orders-value", "AVRO");
    const [outcome] = await send([named('{"a":1}', byId(1))]);
    expect(outcome).toMatchObject({
      status: "stored",
      written: { key: undefined, value: { id: 1, version: 1 }, keyBytes: 0, valueBytes: 13 },
    });
  });

  it.each<[string, SchemaName, string]>([
    ["the latest version", LATEST, "stored"],
    ["a version", { by: { kind: "version", version: 1 } }, "stored"],
    ["a text", { by: { kind: "text", type: "AVRO", text: "Order" } }, "stored"],
    ["a subject", { by: { kind: "latest" }, of: { subject: "other" } }, "stored"],
    ["an unknown id", byId(9), "SCHEMA_UNKNOWN: shop.orders-value has no id 9"],
    [
      "an unknown version",
      { by: { kind: "version", version: 5 } },
      "SCHEMA_VERSION_UNKNOWN: no version 5 of shop.orders-value",
    ],
    [
      "an unknown text",
      { by: { kind: "text", type: "AVRO", text: "New" } },
      "SCHEMA_UNKNOWN: shop.orders-value has no text",
    ],
    [
      "another type",
      { ...LATEST, type: "PROTOBUF" },
      "REQUEST_INVALID: value.type must be AVRO, the type of schema 1 (got PROTOBUF)",
    ],
    [
      "the name of an unknown record",
      { ...LATEST, of: { strategy: "record-name" } },
      "REQUEST_INVALID: value: the subject name strategy record-name needs schema_id or schema",
    ],
  ])("names it by %s", async (_, name, expected) => {
    const { registry, tell } = await setUp();
    registry.add("shop.orders-value", "AVRO", { name: "Order" });
    registry.add("other", "AVRO");
    expect(await tell(named("{}", name), event("{}"))).toEqual([expected, "stored"]);
  });

  it("is refused with the data's fault, and a fault of the key refuses it too", async () => {
    const { registry, tell } = await setUp();
    registry.add("shop.orders-value", "AVRO");
    const key = { key: Buffer.from('"k"'), keySchema: byId(9) };
    expect(await tell(named('{"bad":1}', LATEST), named("{}", LATEST, key))).toEqual([
      "DATA_REFUSED: avro: '/bad': not allowed",
      "SCHEMA_UNKNOWN: shop.orders-key has no id 9",
    ]);
  });

  it("is a tombstone without a frame, but its schema must exist", async () => {
    const { registry, tell, values } = await setUp();
    registry.add("shop.orders-value", "AVRO");
    expect(await tell(named(null, byId(1)), named(null, byId(2)))).toEqual([
      "stored",
      "SCHEMA_UNKNOWN: shop.orders-value has no id 2",
    ]);
    expect(values()).toEqual([null]);
  });

  it("is unavailable, never refused, while the registry is", async () => {
    const { registry, tell } = await setUp();
    registry.isDown = true;
    expect(await tell(named("{}", byId(1)), event("{}"))).toEqual([
      "REGISTRY_UNAVAILABLE: The schema registry is unavailable",
      "stored",
    ]);
  });

  it("is judged by the schema of a file first, and no plain Protobuf station takes it", async () => {
    const { registry, send, values } = await setUp();
    registry.add("shop.orders-value", "AVRO");
    const file: FileValidator = {
      kind: "json-schema",
      validate: (value, contentType) =>
        value.includes("x") ? schemaRefused("no x") : { status: "accepted", value, contentType },
    };
    const events = [named('{"x":1}', LATEST), named('{"y":1}', LATEST)];
    const onFile = await send(events, undefined, { ...PLAIN, validator: file, key: "/y" });
    expect(onFile.map(said)).toEqual(["SCHEMA_REFUSED: Schema validation has failed: no x", "stored"]);
    const protobuf: FileValidator = { ...file, kind: "protobuf" };
    const onProtobuf = await send(events.slice(1), undefined, { ...PLAIN, validator: protobuf });
    expect(onProtobuf.map(said)).toEqual([expect.stringMatching(/^SCHEMA_REFUSED: .*plain Protobuf/)]);
    expect(values()).toEqual([text(1, 'A{"y":1}')]);
  });
});

describe("a record that names its schema at a registry station", () => {
  it("must name one of the station's subject", async () => {
    const { registry, tell, values } = await setUp({ subject: "orders" });
    registry.add("orders", "AVRO");
    registry.add("orders", "JSONSCHEMA");
    registry.add("other", "AVRO", { id: 3 });
    registry.add("shared", "AVRO", { id: 1 });
    const ofSubject = (subject: string): SchemaName => ({ by: { kind: "latest" }, of: { subject } });
    expect(
      await tell(
        named("{}", byId(1)),
        named("{}", byId(3)),
        named("{}", ofSubject("other")),
        named("{}", ofSubject("shared")),
      ),
    ).toEqual([
      "stored",
      "SCHEMA_UNKNOWN: orders has no id 3",
      "SCHEMA_UNKNOWN: orders has no id 3",
      "stored",
    ]);
    expect(values()).toEqual([text(1, "A{}"), text(1, "A{}")]);
  });

  it("takes the station's schema if it names none", async () => {
    const { registry, tell, values } = await setUp({ version: 1 });
    registry.add("shop.orders-value", "AVRO");
    registry.add("shop.orders-value", "AVRO");
    expect(
      await tell(
        named("{}", LATEST),
        named('{"bad":1}', LATEST),
        named("{}", { ...LATEST, type: "JSONSCHEMA" }),
      ),
    ).toEqual([
      "stored",
      "SCHEMA_REFUSED: Schema validation has failed: avro: '/bad': not allowed",
      "REQUEST_INVALID: value.type must be AVRO, the type of schema 1 (got JSONSCHEMA)",
    ]);
    expect(values()).toEqual([text(1, "A{}")]);
  });

  it("is written with the station's message", async () => {
    const { registry, tell, values } = await setUp({ message: "a.Second" });
    registry.add("shop.orders-value", "PROTOBUF");
    await tell(named("{}", byId(1)));
    expect(values()).toEqual([text(1, "PSecond{}")]);
  });
});

describe("the order of ordered calls", () => {
  it("is kept while a call waits for the registry", async () => {
    const { registry, send, values } = await setUp();
    registry.add("shop.orders-value", "AVRO");
    const open = registry.hold();
    const order = {};
    const calls = [
      send([event("0")], order),
      send([named("{}", byId(1))], order),
      send([event("2")], order),
      send([event("other")], {}),
      send([event("3")], order),
    ];
    await calls[3];
    expect(values()).toEqual(["0", "other"]);
    open();
    await Promise.all(calls);
    await send([event("4")], order);
    expect(values()).toEqual(["0", "other", text(1, "A{}"), "2", "3", "4"]);
  });

  it("does not hold the calls after a call that was refused", async () => {
    const { registry, send, values } = await setUp();
    const open = registry.hold();
    const order = {};
    const calls = [send([named("{}", byId(1))], order), send([event("2")], order)];
    open();
    expect((await Promise.all(calls)).flat().map(said)).toEqual([
      expect.stringMatching(/^SCHEMA_UNKNOWN/),
      "stored",
    ]);
    expect(values()).toEqual(["2"]);
  });
});
