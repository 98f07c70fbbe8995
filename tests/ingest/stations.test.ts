import type { TopicInfo, TopicSpec } from "../../src/broker/broker.ts";
import { GatewayError } from "../../src/errors.ts";
import { createStations, type Station, type Stations } from "../../src/ingest/stations.ts";

const declare = (name: string, topic = name): Station => ({
  name,
  topic,
  key: undefined,
  validator: undefined,
});
const orders = declare("orders", "shop.Orders");
const plain = declare("plain");

/** A broker with topics that records the requested creations. They wait for `gate`. */
const fakeBroker = (...existing: string[]) => {
  const topics = new Set(existing);
  const created: TopicSpec[] = [];
  let gate: Promise<void> = Promise.resolve();
  return {
    created,
    topics,
    hold: (until: Promise<void>) => {
      gate = until;
    },
    topic: (name: string): Promise<TopicInfo | undefined> =>
      Promise.resolve(topics.has(name) ? { name, partitions: 1 } : undefined),
    ensureTopic: async (spec: TopicSpec): Promise<TopicInfo> => {
      created.push(spec);
      await gate;
      topics.add(spec.name);
      return { name: spec.name, partitions: 1 };
    },
  };
};

const stationsOn = (broker = fakeBroker(), autoCreate = true): Stations =>
  createStations({ declared: [orders, plain], autoCreate, broker, maxRecordBytes: 1000 });

/** The station, or the text of the error, thrown or rejected. */
const found = async (look: () => Station | Promise<Station>): Promise<Station | string> => {
  try {
    return await look();
  } catch (error) {
    return (error as GatewayError).message;
  }
};

describe("declared stations", () => {
  it("are resolved without a promise", () => {
    const stations = stationsOn(fakeBroker(), false);
    expect(stations.resolve("orders")).toBe(orders);
    expect(stations.existing("plain")).toBe(plain);
    expect(stations.declared).toEqual([orders, plain]);
  });

  it("are the only stations without autoCreate", async () => {
    const broker = fakeBroker("other");
    const stations = stationsOn(broker, false);
    const unknown = "Station other does not exist";
    expect(await found(() => stations.resolve("other"))).toBe(unknown);
    expect(await found(() => stations.existing("other"))).toBe(unknown);
    expect(await found(() => stations.resolve(stations.nameOfTopic("other")))).toBe(unknown);
    expect(await stations.recreate(declare("other"))).toBe(false);
    expect(broker.created).toEqual([]);
  });

  it("are found by their topic in exact case, after the names of stations", async () => {
    const twin = declare("shop.orders", "elsewhere");
    const second = declare("second", "shop.Orders");
    const stations = createStations({
      declared: [orders, twin, second],
      autoCreate: false,
      broker: fakeBroker(),
      maxRecordBytes: 1,
    });
    expect(stations.resolve(stations.nameOfTopic("orders"))).toBe(orders);
    expect(stations.resolve(stations.nameOfTopic("shop.Orders"))).toBe(orders);
    expect(stations.resolve(stations.nameOfTopic("shop.orders"))).toBe(twin);
    expect(await found(() => stations.resolve(stations.nameOfTopic("ORDERS")))).toBe(
      "Station ORDERS does not exist",
    );
  });
});

describe("undeclared stations with autoCreate", () => {
  it("are created once for concurrent calls, and known afterwards", async () => {
    const broker = fakeBroker();
    let open = (): void => undefined;
    broker.hold(
      new Promise((resolve) => {
        open = resolve;
      }),
    );
    const stations = stationsOn(broker);
    const asked = [
      stations.resolve("new"),
      stations.resolve("new"),
      stations.resolve(stations.nameOfTopic("new")),
    ];
    open();
    expect(await Promise.all(asked.map((each) => Promise.resolve(each)))).toEqual([
      declare("new"),
      declare("new"),
      declare("new"),
    ]);
    expect(broker.created).toEqual([{ name: "new", maxRecordBytes: 1000 }]);
    expect(stations.resolve("new")).toEqual(declare("new"));
  });

  it("are created by the next call after a failure", async () => {
    const broker = fakeBroker();
    broker.hold(Promise.reject(new GatewayError("BROKER_UNAVAILABLE")));
    const stations = stationsOn(broker);
    expect(await found(() => stations.resolve("new"))).toBe("Server error");
    broker.hold(Promise.resolve());
    expect(await found(() => stations.resolve("new"))).toEqual(declare("new"));
  });

  it("are known without the broker while the pod's spool has events of them", async () => {
    const broker = fakeBroker();
    broker.hold(Promise.reject(new GatewayError("BROKER_UNAVAILABLE")));
    const isSpooling = (topic: string): boolean => topic === "spooled" || topic === "shop.Orders";
    const options = { declared: [orders], broker, maxRecordBytes: 1, isSpooling };
    const stations = createStations({ ...options, autoCreate: true });
    expect(stations.resolve("spooled")).toEqual(declare("spooled"));
    expect(await found(() => stations.resolve("new"))).toBe("Server error");
    expect(await found(() => stations.resolve("shop.Orders"))).toBe("Station shop.Orders does not exist");
    expect(await found(() => createStations({ ...options, autoCreate: false }).resolve("spooled"))).toBe(
      "Station spooled does not exist",
    );
  });

  it("are not created by a consumer", async () => {
    const broker = fakeBroker("there");
    const stations = stationsOn(broker);
    expect(await found(() => stations.existing("there"))).toEqual(declare("there"));
    expect(await found(() => stations.existing("missing"))).toBe("Station missing does not exist");
    expect(broker.created).toEqual([]);
  });

  it("are recreated after their topic was deleted, unlike declared stations", async () => {
    const broker = fakeBroker();
    const stations = stationsOn(broker);
    const station = await stations.resolve("new");
    expect(await stations.recreate(station)).toBe(true);
    expect(broker.created).toHaveLength(2);
    expect(await stations.recreate(plain)).toBe(false);
  });

  it("create a declared topic once before the start has created it, and never again", async () => {
    const broker = fakeBroker();
    const spec = { name: "shop.Orders", partitions: 6, replicationFactor: 3 };
    const awaited = new Map([["orders", spec]]);
    const stations = createStations({
      declared: [orders, plain],
      autoCreate: true,
      broker,
      maxRecordBytes: 1,
      awaited,
    });
    expect(await Promise.all([stations.recreate(orders), stations.recreate(orders)])).toEqual([true, true]);
    expect(broker.created).toEqual([spec]);
    expect(stations.resolve("orders")).toBe(orders);

    expect(awaited.size).toBe(0);
    expect(await stations.recreate(orders)).toBe(false);
    expect(broker.created).toEqual([spec]);
  });

  it("can't use the topic of a declared station", async () => {
    const lower = declare("orders", "shop.orders");
    const broker = fakeBroker("shop.orders");
    const stations = createStations({ declared: [lower], autoCreate: true, broker, maxRecordBytes: 1 });
    expect(await found(() => stations.resolve("shop.orders"))).toBe("Station shop.orders does not exist");
    expect(await found(() => stations.existing("shop.orders"))).toBe("Station shop.orders does not exist");
    expect(stations.resolve(stations.nameOfTopic("shop.orders"))).toBe(lower);
  });

  it("must have valid station names", async () => {
    const broker = fakeBroker("__consumer_offsets", "Upper");
    const stations = stationsOn(broker);
    expect(await found(() => stations.resolve(stations.nameOfTopic("__consumer_offsets")))).toContain(
      "does not exist",
    );
    expect(await found(() => stations.resolve(stations.nameOfTopic("Upper")))).toContain("does not exist");
    expect(broker.created).toEqual([]);
  });
});
