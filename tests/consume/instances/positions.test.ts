import { append, createLog, part, refusal, useHomes, valuesOf } from "./home.ts";

const rig = useHomes();

describe("positions", () => {
  it("are set by offset, by time, and to both ends", async () => {
    await rig.open();
    await append(rig.broker, "users", 0, [0, 1, 2, 3]);
    await rig.home.reader("i", ["users"]);
    const partitions = [part("users", 0)];
    const seek = (offset: string) =>
      rig.home.call("seek", { offsets: [{ ...part("users", 0), offset }], timestamps: [] });
    await seek("2");
    expect(valuesOf(await rig.home.read("i"))).toEqual([2, 3]);
    await rig.home.call("beginning", { partitions });
    expect(valuesOf(await rig.home.read("i"))).toEqual([0, 1, 2, 3]);
    await rig.home.call("end", { partitions });
    expect(await rig.home.read("i")).toEqual([]);
    await rig.home.call("seek", { offsets: [], timestamps: [{ ...part("users", 0), timestamp: 1000 }] });
    expect(await rig.home.read("i")).toHaveLength(4);
    await rig.home.call("seek", { offsets: [], timestamps: [{ ...part("users", 0), timestamp: 5000 }] });
    expect(await rig.home.read("i")).toEqual([]);
    await seek("99");
    expect(await rig.home.read("i")).toHaveLength(4);
  });

  it("of one topic and time are asked for at one go", async () => {
    const asked: unknown[][] = [];
    const offsetsAt = (topic: string, timestamp: number) => {
      asked.push([topic, timestamp]);
      return rig.broker.offsetsAt(topic, timestamp);
    };
    await rig.open({ onBroker: { offsetsAt } });
    await rig.home.reader("i", ["orders"]);
    const at = (partition: number, timestamp: number) => ({ ...part("orders", partition), timestamp });
    await rig.home.call("seek", { offsets: [], timestamps: [at(0, 1000), at(1, 1000)] });
    expect(asked).toEqual([["orders", 1000]]);
    await rig.home.call("seek", { offsets: [], timestamps: [at(0, 1000), at(1, 2000)] });
    expect(asked.slice(1)).toEqual([
      ["orders", 1000],
      ["orders", 2000],
    ]);
  });

  it("of a seek are stored before the answer, until a commit", async () => {
    const log = createLog();
    await rig.open({ log });
    await append(rig.broker, "users", 0, [0, 1, 2]);
    await rig.home.reader("i", ["users"], { autoCommit: false });
    await rig.home.read("i");
    await rig.home.call("commit", {});
    await rig.home.call("seek", { offsets: [{ ...part("users", 0), offset: "1" }], timestamps: [] });
    await rig.home.close("lost");
    await rig.open({ log });
    expect(valuesOf(await rig.home.read("i"))).toEqual([1, 2]);
    await rig.home.close("lost");
    await rig.open({ log });
    expect(valuesOf(await rig.home.read("i"))).toEqual([1, 2]);
    await rig.home.call("commit", {});
    await rig.home.close("lost");
    await rig.open({ log });
    expect(await rig.home.read("i")).toEqual([]);
    expect([...log.living.keys()].filter((name) => name.startsWith("seek"))).toEqual([]);
  });
});

describe("partitions", () => {
  const own = async (instance: string) =>
    (
      (await rig.home.call("assignment", {}, { instance })).body as { partitions: { partition: number }[] }
    ).partitions.map(({ partition }) => partition);

  it("are divided in ranges among the instances of a group", async () => {
    await rig.open();
    await append(rig.broker, "orders", 0, [0]);
    await append(rig.broker, "orders", 1, [1]);
    await rig.home.reader("b", ["orders"]);
    expect((await rig.home.read("b")).length + (await rig.home.read("b")).length).toBe(2);
    expect(await own("b")).toEqual([0, 1]);
    await rig.home.reader("a", ["orders"]);
    await rig.home.reader("c", ["orders"]);
    expect(await rig.home.read("c")).toEqual([]);
    expect([await own("a"), await own("b"), await own("c")]).toEqual([[0], [1], []]);
    expect((await rig.home.call("subscription", {}, { instance: "b" })).body).toEqual({
      topics: ["the-orders"],
      partitions: [{ "the-orders": [1] }],
    });
    await rig.home.call("delete", {}, { instance: "a" });
    await rig.home.read("b");
    expect([await own("b"), await own("c")]).toEqual([[0], [1]]);
  });

  it("that stay keep their position when another instance changes the topics of the group", async () => {
    await rig.open();
    await append(rig.broker, "users", 0, [1, 2]);
    await rig.home.reader("i", ["users"], { autoCommit: false });
    expect(valuesOf(await rig.home.read("i"))).toEqual([1, 2]);
    await rig.home.reader("j", ["orders"]);
    expect(await rig.home.read("j")).toEqual([]);
    expect(await rig.home.read("i")).toEqual([]);
  });

  it("are assigned by hand, without the group's ranges", async () => {
    await rig.open();
    await append(rig.broker, "orders", 1, ["x"]);
    for (const instance of ["a", "b"]) {
      await rig.home.reader(instance, []);
      await rig.home.call("assign", { partitions: [part("orders", 1)] }, { instance });
      expect(valuesOf(await rig.home.read(instance))).toEqual(["x"]);
    }
    await rig.home.call("commit", {}, { instance: "a" });
    expect(await rig.home.committed("orders")).toEqual({ 1: 1 });
    expect((await rig.home.call("assignment", {}, { instance: "a" })).body).toEqual({
      partitions: [{ topic: "the-orders", partition: 1 }],
    });
  });
});

describe("the next home", () => {
  it("goes on after a planned end without a repeat, and commits what was due", async () => {
    const log = createLog();
    await rig.open({ log });
    await append(rig.broker, "users", 0, [1, 2, 3]);
    await rig.home.reader("i", ["users"]);
    expect(valuesOf(await rig.home.read("i", { maxBytes: 2 }))).toEqual([1, 2]);
    const waiting = rig.home.call("records", { accept: [{ type: "t" }], timeoutMs: 60_000 });
    const cut = await waiting;
    expect(valuesOf(cut.body as never)).toEqual([3]);
    const closing = rig.home.close();
    cut.ended(false);
    await closing;
    await rig.open({ log });
    expect(valuesOf(await rig.home.read("i"))).toEqual([3]);
    expect(await rig.home.committed("users")).toEqual({ 0: 2 });
  });

  it("goes on at the position although a commit of an earlier one was in flight at the planned end", async () => {
    const log = createLog();
    let answer = (): void => undefined;
    const isAnswered = new Promise<void>((resolve) => (answer = resolve));
    const { groups } = rig.broker;
    const held: typeof groups.commit = async (...args) => {
      await isAnswered;
      return groups.commit(...args);
    };
    await rig.open({ log, onBroker: { groups: { ...groups, commit: held } } });
    await append(rig.broker, "users", 0, [1, 2, 3]);
    await rig.home.reader("i", ["users"], { autoCommit: false });
    expect(valuesOf(await rig.home.read("i"))).toEqual([1, 2, 3]);
    const committing = rig.home.call("commit", {
      offsets: [{ ...part("users", 0), offset: "0", metadata: "" }],
    });
    await new Promise((resolve) => setTimeout(resolve, 20));
    const closing = rig.home.close();
    answer();
    await Promise.all([committing, closing]);
    await rig.open({ log });
    expect(await rig.home.read("i")).toEqual([]);
    expect(await rig.home.committed("users")).toEqual({ 0: 1 });
  });

  it("ends waiting calls with SLOT_MOVED", async () => {
    await rig.open();
    await rig.home.reader("i", ["users"]);
    await rig.home.read("i");
    const reading = rig.home.read("i", { timeoutMs: 60_000 });
    await Promise.all([expect(reading).rejects.toThrow(refusal("SLOT_MOVED")), rig.home.close()]);
  });

  it("starts at the committed offsets after a kill, and not at positions of an earlier planned end", async () => {
    const log = createLog();
    await rig.open({ log });
    await append(rig.broker, "users", 0, [1, 2, 3]);
    await rig.home.reader("i", ["users"], { autoCommit: false });
    await rig.home.read("i", { maxBytes: 1 });
    await rig.home.close();
    await rig.open({ log });
    expect(valuesOf(await rig.home.read("i"))).toEqual([2, 3]);
    await rig.home.close("lost");
    await rig.open({ log });
    expect(valuesOf(await rig.home.read("i"))).toEqual([1, 2, 3]);
  });

  it("starts at the kept start offset with the reset latest", async () => {
    const log = createLog();
    await rig.open({ log });
    await rig.home.reader("i", ["users"], { reset: "latest" });
    expect(await rig.home.read("i")).toEqual([]);
    await append(rig.broker, "users", 0, [1]);
    await rig.home.close("lost");
    await rig.open({ log });
    expect(valuesOf(await rig.home.read("i"))).toEqual([1]);
  });
});
