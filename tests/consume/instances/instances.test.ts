import type { Broker } from "../../../src/broker/broker.ts";
import { append, createArguments, named, part, refusal, useHomes, valuesOf } from "./home.ts";

const rig = useHomes();

describe("an instance", () => {
  it("is created once; a repeated request gets the same answer", async () => {
    await rig.open();
    const request = createArguments();
    const first = await rig.home.call("create", request);
    expect([first.status, first.body]).toEqual([200, { instance_id: "i", base_uri: "http://gw/i" }]);
    expect(await rig.home.call("create", request)).toMatchObject({ status: 200 });
    await expect(rig.home.call("create", createArguments())).rejects.toThrow(refusal("INSTANCE_EXISTS"));
    expect(rig.home.instances.count).toBe(1);
  });

  it("answers only to its creator, and not after it is deleted", async () => {
    await rig.open();
    await rig.home.call("create", createArguments());
    await expect(rig.home.call("subscription", {}, { owner: "account bob" })).rejects.toThrow(
      refusal("INSTANCE_UNKNOWN"),
    );
    await expect(rig.home.call("delete", {}, { owner: "account bob" })).rejects.toThrow(
      refusal("INSTANCE_UNKNOWN"),
    );
    expect((await rig.home.call("delete", {})).status).toBe(204);
    await expect(rig.home.call("subscription", {})).rejects.toThrow(refusal("INSTANCE_UNKNOWN"));
  });

  it("is refused above the limits", async () => {
    await rig.open({ maxInstances: 3, maxPerPrincipal: 2 });
    const create = (instance: string, owner: string) =>
      rig.home.call("create", createArguments(), { instance, owner });
    await create("a", "x");
    await create("b", "x");
    await expect(create("c", "x")).rejects.toThrow(refusal("RATE_LIMITED"));
    await create("c", "y");
    await expect(create("d", "z")).rejects.toThrow(refusal("OVERLOADED"));
  });

  it("reads nothing without a subscription, and has a subscription or an assignment", async () => {
    await rig.open();
    await rig.home.reader("i", []);
    await expect(rig.home.read("i")).rejects.toThrow(refusal("INSTANCE_CONFLICT"));
    await rig.home.call("subscribe", { topics: [named("orders")] });
    await expect(rig.home.call("assign", { partitions: [part("orders", 0)] })).rejects.toThrow(
      refusal("INSTANCE_CONFLICT"),
    );
    await rig.home.call("subscribe", { topics: [] });
    await rig.home.call("assign", { partitions: [part("orders", 0)] });
    await expect(rig.home.call("subscribe", { topics: [named("orders")] })).rejects.toThrow(
      refusal("INSTANCE_CONFLICT"),
    );
    expect((await rig.home.call("unsubscribe", {})).status).toBe(204);
    expect((await rig.home.call("unsubscribe", {})).status).toBe(204);
    await expect(rig.home.read("i")).rejects.toThrow(refusal("INSTANCE_CONFLICT"));
    await expect(rig.home.call("assign", { partitions: [part("orders", 2)] })).rejects.toThrow(
      refusal("PARTITION_UNKNOWN"),
    );
  });
});

describe("a group", () => {
  it("is read by consume/batch or by instances", async () => {
    await rig.open();
    await rig.home.reader("i", []);
    await rig.home.claimBatch();
    for (const refused of [
      rig.home.call("create", createArguments(), { instance: "j" }),
      rig.home.call("subscribe", { topics: [named("users")] }),
      rig.home.call("subscription", {}),
    ])
      await expect(refused).rejects.toThrow(refusal("GROUP_IN_USE"));
    const other = { group: "other" };
    await rig.home.call("create", createArguments(), other);
    await rig.home.call("subscribe", { topics: [named("users")] }, other);
  });

  it("of instances is not read by consume/batch, until they end their subscriptions", async () => {
    await rig.open();
    await rig.home.reader("i", ["users"]);
    await expect(rig.home.claimBatch()).rejects.toThrow(refusal("GROUP_IN_USE"));
    await rig.home.call("unsubscribe", {});
    await rig.home.claimBatch();
  });
});

describe("records", () => {
  it("have the names that the client asked for, and come from all partitions", async () => {
    await rig.open();
    await append(rig.broker, "orders", 0, ["a0", "a1"]);
    await append(rig.broker, "orders", 1, ["b0"]);
    await rig.home.reader("i", ["orders"]);
    const records = [...(await rig.home.read("i")), ...(await rig.home.read("i", { timeoutMs: 0 }))];
    expect(
      records.map(({ topic, partition, offset, value }) => [topic, partition, offset, value]).sort(),
    ).toEqual([
      ["the-orders", 0, 0, "a0"],
      ["the-orders", 0, 1, "a1"],
      ["the-orders", 1, 0, "b0"],
    ]);
    expect(await rig.home.read("i", { timeoutMs: 0 })).toEqual([]);
  });

  it("start at the end with the reset latest", async () => {
    await rig.open();
    await append(rig.broker, "users", 0, ["old"]);
    await rig.home.reader("i", ["users"], { reset: "latest" });
    expect(await rig.home.read("i")).toEqual([]);
    await append(rig.broker, "users", 0, ["new"]);
    expect(valuesOf(await rig.home.read("i"))).toEqual(["new"]);
  });

  it("come as soon as there is one, or after the whole timeout with fetch.min.bytes -1", async () => {
    await rig.open();
    await rig.home.reader("i", ["users"]);
    const reading = rig.home.read("i", { timeoutMs: 10_000 });
    await append(rig.broker, "users", 0, [1]);
    expect(valuesOf(await reading)).toEqual([1]);
    await rig.home.reader("all", [], { minBytes: -1 });
    await rig.home.call("assign", { partitions: [part("users", 0)] }, { instance: "all" });
    const began = Date.now();
    const late = rig.home.read("all", { timeoutMs: 300 });
    await append(rig.broker, "users", 0, [2]);
    expect(valuesOf(await late)).toEqual([1, 2]);
    expect(Date.now() - began).toBeGreaterThanOrEqual(290);
  });

  it("stay within max_bytes, but for the first one", async () => {
    await rig.open();
    await append(rig.broker, "users", 0, ["x".repeat(50), "y", "z", "w"]);
    await rig.home.reader("i", ["users"]);
    const sizes = [];
    for (let n = 0; n < 3; n += 1) sizes.push((await rig.home.read("i", { maxBytes: 6 })).length);
    expect(sizes).toEqual([1, 2, 1]);
  });

  it("are read before a call asks for them only up to the instance's share of the group's buffer", async () => {
    const readsOf = async (groupBuffer: number): Promise<number> => {
      let reads = 0;
      const read: Broker["read"] = (from, options) => {
        reads += 1;
        return rig.broker.read(from, options);
      };
      await rig.open({ groupBuffer, onBroker: { read } });
      await rig.home.reader("i", ["users"]);
      await rig.home.read("i", { maxBytes: 6 });
      await rig.home.close("lost");
      return reads;
    };
    await append(rig.broker, "users", 0, ["x".repeat(50), "y"]);
    const [none, some] = [await readsOf(0), await readsOf(1 << 20)];
    expect(none).toBe(some - 1);
  });

  it("come again if the answer was not sent whole", async () => {
    await rig.open();
    await append(rig.broker, "users", 0, [1, 2]);
    await rig.home.reader("i", ["users"]);
    expect(valuesOf(await rig.home.read("i", { whole: false }))).toEqual([1, 2]);
    expect(valuesOf(await rig.home.read("i"))).toEqual([1, 2]);
    expect(rig.home.answers).toEqual([
      [2, false],
      [2, true],
    ]);
  });

  it("wait until the last answer has ended", async () => {
    await rig.open();
    await append(rig.broker, "users", 0, [1, 2]);
    await rig.home.reader("i", ["users"]);
    const first = await rig.home.call("records", { accept: [{ type: "t" }] });
    const second = rig.home.read("i");
    await append(rig.broker, "users", 0, [3]);
    first.ended(false);
    expect(valuesOf(await second)).toEqual([1, 2, 3]);
  });

  it("have the content type that the client accepts", async () => {
    await rig.open();
    await rig.home.reader("i", ["users"]);
    const read = (accept: { type: string; format?: string }[]) =>
      rig.home.call("records", { accept, timeoutMs: 0 });
    expect(
      (
        await read([
          { type: "b", format: "binary" },
          { type: "j", format: "json" },
        ])
      ).type,
    ).toBe("j");
    await expect(read([{ type: "b", format: "binary" }])).rejects.toThrow(refusal("FORMAT_UNACCEPTABLE"));
    await expect(read([])).rejects.toThrow(refusal("FORMAT_UNACCEPTABLE"));
  });

  it("are refused to a caller that may no longer read the station", async () => {
    await rig.open();
    await rig.home.reader("i", ["users"]);
    const reading = rig.home.call("records", { accept: [{ type: "t" }] }, { readable: [["orders"]] });
    await expect(reading).rejects.toThrow(refusal("STATION_FORBIDDEN"));
  });

  it("end with 404 when the instance is deleted meanwhile", async () => {
    await rig.open();
    await rig.home.reader("i", ["users"]);
    await rig.home.read("i");
    const reading = rig.home.read("i", { timeoutMs: 60_000 });
    await Promise.all([
      expect(reading).rejects.toThrow(refusal("INSTANCE_UNKNOWN")),
      rig.home.call("delete", {}),
    ]);
  });

  it("are never answered as none while the leaders don't answer", async () => {
    const { GatewayError } = await import("../../../src/errors.ts");
    let isAway = false;
    await rig.open({
      onBroker: {
        read: (...given) =>
          isAway ? Promise.reject(new GatewayError("BROKER_UNAVAILABLE")) : rig.broker.read(...given),
      },
    });
    await rig.home.reader("i", ["users"]);
    expect(await rig.home.read("i")).toEqual([]);
    isAway = true;
    await expect(rig.home.read("i", { timeoutMs: 60_000 })).rejects.toThrow(refusal("BROKER_UNAVAILABLE"));
    isAway = false;
    await append(rig.broker, "users", 0, [1]);
    expect(valuesOf(await rig.home.read("i"))).toEqual([1]);
  }, 20_000);
});

describe("commits", () => {
  it("of an answer are made by the next call, once it was sent whole", async () => {
    await rig.open();
    await append(rig.broker, "users", 0, [1, 2]);
    await rig.home.reader("i", ["users"]);
    await rig.home.read("i", { maxBytes: 1 });
    expect(await rig.home.committed("users")).toEqual({});
    await rig.home.read("i", { whole: false });
    expect(await rig.home.committed("users")).toEqual({ 0: 1 });
    await rig.home.call("delete", {});
    expect(await rig.home.committed("users")).toEqual({ 0: 1 });
  });

  it.each([
    ["delete", (): Promise<unknown> => rig.home.call("delete", {})],
    ["unsubscribe", () => rig.home.call("unsubscribe", {})],
    ["subscribe", () => rig.home.call("subscribe", { topics: [named("orders")] })],
  ])("are made by %s", async (_, change) => {
    await rig.open();
    await append(rig.broker, "users", 0, [1, 2]);
    await rig.home.reader("i", ["users"]);
    await rig.home.read("i");
    await change();
    expect(await rig.home.committed("users")).toEqual({ 0: 2 });
  });

  it("are left to the client without automatic commits", async () => {
    await rig.open();
    await append(rig.broker, "users", 0, [1, 2]);
    await rig.home.reader("i", ["users"], { autoCommit: false });
    await rig.home.read("i");
    await rig.home.read("i");
    expect(await rig.home.committed("users")).toEqual({});
    const sent = await rig.home.call("commit", {});
    expect([sent.status, sent.body]).toEqual([200, []]);
    expect(await rig.home.committed("users")).toEqual({ 0: 2 });
  });

  it("of given offsets store the next one, with the metadata", async () => {
    await rig.open();
    await rig.home.reader("i", ["users"]);
    const offsets = [{ ...part("users", 0), offset: "9", metadata: "m" }];
    await rig.home.call("commit", { offsets });
    const partitions = [part("users", 0), part("orders", 1)];
    expect((await rig.home.call("committed", { partitions })).body).toEqual({
      offsets: [{ topic: "the-users", partition: 0, offset: 10, metadata: "m" }],
    });
  });

  it("and positions over other partitions are refused", async () => {
    await rig.open();
    await rig.home.reader("i", ["users"]);
    const at = { ...part("orders", 0), offset: "1" };
    await expect(rig.home.call("commit", { offsets: [{ ...at, metadata: "" }] })).rejects.toThrow(
      refusal("INSTANCE_CONFLICT"),
    );
    await expect(rig.home.call("seek", { offsets: [at], timestamps: [] })).rejects.toThrow(
      refusal("INSTANCE_CONFLICT"),
    );
    await expect(rig.home.call("end", { partitions: [part("orders", 0)] })).rejects.toThrow(
      refusal("INSTANCE_CONFLICT"),
    );
  });
});
