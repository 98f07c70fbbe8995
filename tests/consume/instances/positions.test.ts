import { append, createBroker, createLog, openHome, part, type TestHome, valuesOf } from "./home.ts";

let broker: ReturnType<typeof createBroker>;
let home: TestHome;
let homes: TestHome[];

const open = async (options: Parameters<typeof openHome>[1] = {}): Promise<TestHome> => {
  home = await openHome(broker, options);
  homes.push(home);
  return home;
};

beforeEach(async () => {
  homes = [];
  broker = createBroker();
  await broker.ensureTopic({ name: "orders", partitions: 2 });
  await broker.ensureTopic({ name: "users", partitions: 1 });
});

afterEach(async () => {
  for (const one of homes) await one.close("lost");
  await broker.close();
});

const refusal = (code: string) => expect.objectContaining({ code }) as Error;

describe("positions", () => {
  it("are set by offset, by time, and to both ends", async () => {
    await open();
    await append(broker, "users", 0, [0, 1, 2, 3]);
    await home.reader("i", ["users"]);
    const partitions = [part("users", 0)];
    const seek = (offset: string) =>
      home.call("seek", { offsets: [{ ...part("users", 0), offset }], timestamps: [] });
    await seek("2");
    expect(valuesOf(await home.read("i"))).toEqual([2, 3]);
    await home.call("beginning", { partitions });
    expect(valuesOf(await home.read("i"))).toEqual([0, 1, 2, 3]);
    await home.call("end", { partitions });
    expect(await home.read("i")).toEqual([]);
    await home.call("seek", { offsets: [], timestamps: [{ ...part("users", 0), timestamp: 1000 }] });
    expect(await home.read("i")).toHaveLength(4);
    await home.call("seek", { offsets: [], timestamps: [{ ...part("users", 0), timestamp: 5000 }] });
    expect(await home.read("i")).toEqual([]);
    await seek("99");
    expect(await home.read("i")).toHaveLength(4);
  });

  it("of a seek are stored before the answer, until a commit", async () => {
    const log = createLog();
    await open({ log });
    await append(broker, "users", 0, [0, 1, 2]);
    await home.reader("i", ["users"], { autoCommit: false });
    await home.read("i");
    await home.call("commit", {});
    await home.call("seek", { offsets: [{ ...part("users", 0), offset: "1" }], timestamps: [] });
    await home.close("lost");
    await open({ log });
    expect(valuesOf(await home.read("i"))).toEqual([1, 2]);
    await home.close("lost");
    await open({ log });
    expect(valuesOf(await home.read("i"))).toEqual([1, 2]);
    await home.call("commit", {});
    await home.close("lost");
    await open({ log });
    expect(await home.read("i")).toEqual([]);
    expect([...log.living.keys()].filter((name) => name.startsWith("seek"))).toEqual([]);
  });
});

describe("partitions", () => {
  const own = async (instance: string) =>
    (
      (await home.call("assignment", {}, { instance })).body as { partitions: { partition: number }[] }
    ).partitions.map(({ partition }) => partition);

  it("are divided in ranges among the instances of a group", async () => {
    await open();
    await append(broker, "orders", 0, [0]);
    await append(broker, "orders", 1, [1]);
    await home.reader("b", ["orders"]);
    expect((await home.read("b")).length + (await home.read("b")).length).toBe(2);
    expect(await own("b")).toEqual([0, 1]);
    await home.reader("a", ["orders"]);
    await home.reader("c", ["orders"]);
    expect(await home.read("c")).toEqual([]);
    expect([await own("a"), await own("b"), await own("c")]).toEqual([[0], [1], []]);
    expect((await home.call("subscription", {}, { instance: "b" })).body).toEqual({
      topics: ["the-orders"],
      partitions: [{ "the-orders": [1] }],
    });
    await home.call("delete", {}, { instance: "a" });
    await home.read("b");
    expect([await own("b"), await own("c")]).toEqual([[0], [1]]);
  });

  it("that stay keep their position when another instance changes the topics of the group", async () => {
    await open();
    await append(broker, "users", 0, [1, 2]);
    await home.reader("i", ["users"], { autoCommit: false });
    expect(valuesOf(await home.read("i"))).toEqual([1, 2]);
    await home.reader("j", ["orders"]);
    expect(await home.read("j")).toEqual([]);
    expect(await home.read("i")).toEqual([]);
  });

  it("are assigned by hand, without the group's ranges", async () => {
    await open();
    await append(broker, "orders", 1, ["x"]);
    for (const instance of ["a", "b"]) {
      await home.reader(instance, []);
      await home.call("assign", { partitions: [part("orders", 1)] }, { instance });
      expect(valuesOf(await home.read(instance))).toEqual(["x"]);
    }
    await home.call("commit", {}, { instance: "a" });
    expect(await home.committed("orders")).toEqual({ 1: 1 });
    expect((await home.call("assignment", {}, { instance: "a" })).body).toEqual({
      partitions: [{ topic: "the-orders", partition: 1 }],
    });
  });
});

describe("the next home", () => {
  it("goes on after a planned end without a repeat, and commits what was due", async () => {
    const log = createLog();
    await open({ log });
    await append(broker, "users", 0, [1, 2, 3]);
    await home.reader("i", ["users"]);
    expect(valuesOf(await home.read("i", { maxBytes: 2 }))).toEqual([1, 2]);
    const waiting = home.call("records", { accept: [{ type: "t" }], timeoutMs: 60_000 });
    const cut = await waiting;
    expect(valuesOf(cut.body as never)).toEqual([3]);
    const closing = home.close();
    cut.ended(false);
    await closing;
    await open({ log });
    expect(valuesOf(await home.read("i"))).toEqual([3]);
    expect(await home.committed("users")).toEqual({ 0: 2 });
  });

  it("ends waiting calls with SLOT_MOVED", async () => {
    await open();
    await home.reader("i", ["users"]);
    await home.read("i");
    const reading = home.read("i", { timeoutMs: 60_000 });
    await Promise.all([expect(reading).rejects.toThrow(refusal("SLOT_MOVED")), home.close()]);
  });

  it("starts at the committed offsets after a kill, and not at positions of an earlier planned end", async () => {
    const log = createLog();
    await open({ log });
    await append(broker, "users", 0, [1, 2, 3]);
    await home.reader("i", ["users"], { autoCommit: false });
    await home.read("i", { maxBytes: 1 });
    await home.close();
    await open({ log });
    expect(valuesOf(await home.read("i"))).toEqual([2, 3]);
    await home.close("lost");
    await open({ log });
    expect(valuesOf(await home.read("i"))).toEqual([1, 2, 3]);
  });

  it("starts at the kept start offset with the reset latest", async () => {
    const log = createLog();
    await open({ log });
    await home.reader("i", ["users"], { reset: "latest" });
    expect(await home.read("i")).toEqual([]);
    await append(broker, "users", 0, [1]);
    await home.close("lost");
    await open({ log });
    expect(valuesOf(await home.read("i"))).toEqual([1]);
  });
});
