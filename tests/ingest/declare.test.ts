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
          if (name === "no") return Promise.reject(new GatewayError("BROKER_UNAVAILABLE"));
          created.push(name);
          return Promise.resolve({ name, partitions: 1 });
        },
      },
    });
    await create([["c", { name: "c" }]]);
    expect(created).toEqual(["c"]);
    await expect(create([["d", { name: "no" }]])).rejects.toMatchObject({ code: "BROKER_UNAVAILABLE" });
  });
});
