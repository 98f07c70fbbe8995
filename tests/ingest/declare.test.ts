import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import type { TopicInfo, TopicSpec } from "../../src/broker/broker.ts";
import { GatewayError } from "../../src/errors.ts";
import {
  createProvisioning,
  loadStations,
  type Provisioning,
  type ProvisionOptions,
  topicsOf,
} from "../../src/ingest/declare.ts";

const root = path.join(import.meta.dirname, "../..");
const options = { limits: { maxDepth: 128 }, registry: undefined };

describe("loadStations", () => {
  it("compiles the declared schemas", async () => {
    const stations = await loadStations(
      [
        { name: "plain", topic: "plain" },
        {
          name: "orders",
          topic: "shop.orders",
          key: "/orderId",
          schema: { type: "json-schema", file: path.join(root, "schemas/order.json") },
        },
        {
          name: "clicks",
          topic: "clicks",
          schema: { type: "zod", module: path.join(root, "schemas/click.mjs"), export: "Click" },
        },
        {
          name: "trades",
          topic: "trades",
          schema: { type: "protobuf", file: path.join(root, "proto/trade.proto"), message: "desk.Trade" },
        },
      ],
      options,
    );
    expect(stations.map(({ name, topic, key, validator }) => [name, topic, key, validator?.kind])).toEqual([
      ["plain", "plain", undefined, undefined],
      ["orders", "shop.orders", "/orderId", "json-schema"],
      ["clicks", "clicks", undefined, "zod"],
      ["trades", "trades", undefined, "protobuf"],
    ]);
  });

  it("passes on where the ids of a station's events are", async () => {
    const once = { id: "/eventId", window: 1000, strict: false };
    const [orders] = await loadStations([{ name: "orders", topic: "orders", once }], options);

    expect(orders?.once).toEqual({ id: "/eventId", windowMs: 1000, strict: false });
  });

  it.each([
    ["/eventId", true],
    ["header:x-id", false],
    ["cloudevents", false],
  ])("lets events of the registry be decoded for the id %s: %j", async (id, hasPointer) => {
    const schema = { type: "registry", version: "latest", autoRegister: false } as const;
    const once = { id, window: 1000, strict: true };
    const [orders] = await loadStations([{ name: "orders", topic: "orders", schema, once }], options);

    expect(orders?.validator).toMatchObject({ hasPointer });
  });

  it("names every station with an unusable schema, and the fault", async () => {
    const proto = {
      type: "protobuf",
      file: path.join(root, "proto/trade.proto"),
      message: "Nobody",
    } as const;
    const zod = { type: "zod", module: path.join(root, "schemas/click.mjs"), export: "Nothing" } as const;
    await expect(
      loadStations(
        [
          { name: "first", topic: "a", schema: proto },
          { name: "fine", topic: "b" },
          { name: "last", topic: "c", schema: zod },
        ],
        options,
      ),
    ).rejects.toThrow(/^Station first: the schema .*\nStation last: the schema .*[^\n]$/);
  });

  it("names the fault of an unusable schema", async () => {
    const broken = {
      type: "protobuf",
      file: path.join(root, "proto/trade.proto"),
      message: "Nobody",
    } as const;
    await expect(loadStations([{ name: "s", topic: "s", schema: broken }], options)).rejects.toThrow(
      /^Station s: the schema .*trade\.proto can't be used: no such type: Nobody/,
    );
  });
});

describe("loadStations after a reload", () => {
  let directory = "";
  const file = (name: string): string => path.join(directory, name);
  const write = (name: string, text: string): void => {
    writeFileSync(file(name), text);
  };

  beforeEach(() => {
    directory = mkdtempSync(path.join(tmpdir(), "stationgate-declare-"));
    write("a.json", '{"type":"object"}');
    write("b.json", '{"type":"object"}');
    write("a.proto", `syntax = "proto3"; import 'b.proto'; message A { B b = 1; }`);
    write("b.proto", 'syntax = "proto3"; message B { int32 n = 1; }');
  });

  afterEach(() => {
    rmSync(directory, { recursive: true });
  });

  const declared = (): Parameters<typeof loadStations>[0] => [
    { name: "a", topic: "a", schema: { type: "json-schema", file: file("a.json") } },
    { name: "b", topic: "b", key: "/id", schema: { type: "json-schema", file: file("b.json") } },
    { name: "p", topic: "p", schema: { type: "protobuf", file: file("a.proto"), message: "A" } },
    {
      name: "z",
      topic: "z",
      schema: { type: "zod", module: path.join(root, "schemas/click.mjs"), export: "Click" },
    },
  ];

  /** The stations whose schema was compiled again. */
  const compiledAgain = async (change: () => void, next = declared): Promise<string[]> => {
    const previous = await loadStations(declared(), options);
    change();
    const found = await loadStations(next(), { ...options, previous });
    return found.filter(({ validator }, i) => validator !== previous[i]?.validator).map(({ name }) => name);
  };

  it("keeps the compiled schemas of unchanged stations", async () => {
    expect(await compiledAgain(() => undefined)).toEqual([]);
  });

  it("compiles a schema again whose file has changed", async () => {
    expect(
      await compiledAgain(() => {
        write("b.json", '{"type":"array"}');
      }),
    ).toEqual(["b"]);
  });

  it("compiles a schema again of which an import has changed", async () => {
    expect(
      await compiledAgain(() => {
        write("b.proto", 'syntax = "proto3"; message B { int64 n = 1; }');
      }),
    ).toEqual(["p"]);
  });

  it("compiles a schema again whose declaration has changed", async () => {
    write("a.proto", `syntax = "proto3"; import 'b.proto'; message A { B b = 1; } message C { B b = 1; }`);
    const next = (): ReturnType<typeof declared> =>
      declared().map((one) =>
        one.schema?.type === "protobuf" ? { ...one, schema: { ...one.schema, message: "C" } } : one,
      );

    expect(await compiledAgain(() => undefined, next)).toEqual(["p"]);
  });

  it("refuses a changed file that is no schema, and one that is missing", async () => {
    const previous = await loadStations(declared(), options);
    write("a.json", "{");
    rmSync(file("b.proto"));

    await expect(loadStations(declared(), { ...options, previous })).rejects.toThrow(
      /^Station a: the schema .*\nStation p: the schema .*$/,
    );
  });

  it("lets the event loop turn between two schemas", async () => {
    const schema = { type: "protobuf", file: file("b.proto"), message: "B" } as const;
    const many = Array.from({ length: 40 }, (_, i) => ({ name: `s${i}`, topic: "s", schema }));
    let turns = 0;
    const count = (): void => {
      turns += 1;
      next = setImmediate(count);
    };
    let next = setImmediate(count);
    await loadStations(many, options);
    clearImmediate(next);

    expect(turns).toBeGreaterThanOrEqual(40);
  });
});

describe("createProvisioning", () => {
  const provision = (options: Partial<ProvisionOptions>): Provisioning =>
    createProvisioning({
      awaited: topicsOf(
        [
          { name: "a", topic: "shop.a", partitions: 6, replicationFactor: 3 },
          { name: "b", topic: "b" },
        ],
        10,
      ),
      broker: { ensureTopic: () => Promise.reject(new GatewayError("BROKER_UNAVAILABLE")) },
      signal: new AbortController().signal,
      onFault: () => undefined,
      retryMs: 1,
      ...options,
    });

  it("creates declared topics, and retries until the broker is available", async () => {
    const asked: TopicSpec[] = [];
    const faults: string[] = [];
    const ensureTopic = (spec: TopicSpec): Promise<TopicInfo> => {
      asked.push(spec);
      return asked.length <= 4
        ? Promise.reject(new GatewayError("BROKER_UNAVAILABLE"))
        : Promise.resolve({ name: spec.name, partitions: 1 });
    };
    const { awaited, done } = provision({
      broker: { ensureTopic },
      onFault: (topic, { code }) => faults.push(`${topic} ${code}`),
    });
    expect([...awaited.keys()]).toEqual(["a", "b"]);
    await done;
    expect(faults.toSorted()).toEqual(
      ["shop.a", "shop.a", "b", "b"].map((topic) => `${topic} BROKER_UNAVAILABLE`).toSorted(),
    );
    expect([...awaited.keys()]).toEqual([]);
    expect(asked.slice(-2)).toEqual(
      expect.arrayContaining([
        { name: "shop.a", partitions: 6, replicationFactor: 3, maxRecordBytes: 10 },
        { name: "b", partitions: undefined, replicationFactor: undefined, maxRecordBytes: 10 },
      ]),
    );
  });

  it("ends when it is aborted", async () => {
    const controller = new AbortController();
    const { done } = provision({
      signal: controller.signal,
      retryMs: 60_000,
      onFault: () => {
        controller.abort();
      },
    });
    await expect(done).resolves.toBeDefined();
  });

  it("gives up the topics of stations that are no longer declared", async () => {
    const { done, keepOnly } = provision({});
    keepOnly(new Set(["other"]));
    await expect(done).resolves.toBeDefined();
  });

  it("creates the topics of further stations at once, or rejects", async () => {
    const created: string[] = [];
    const { create } = provision({
      awaited: new Map(),
      broker: {
        ensureTopic: ({ name }) => {
          if (name === "no")
            return Promise.reject(
              new GatewayError("BROKER_UNAVAILABLE", { cause: new Error("no connection") }),
            );
          created.push(name);
          return Promise.resolve({ name, partitions: 1 });
        },
      },
    });
    await create([["c", { name: "c" }]]);
    expect(created).toEqual(["c"]);
    await expect(create([["d", { name: "no" }]])).rejects.toMatchObject({
      code: "BROKER_UNAVAILABLE",
      message: "stations[d]: the topic no could not be created: no connection",
    });
  });
});
