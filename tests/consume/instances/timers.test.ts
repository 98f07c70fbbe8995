import { createFakeClock, type FakeClock } from "../../support/fake-clock.ts";
import { append, createArguments, createBroker, openHome, refusal, type TestHome, valuesOf } from "./home.ts";

/** Waits for what follows from answers inside the process. */
const settle = async (): Promise<void> => {
  for (let turn = 0; turn < 40; turn += 1) await new Promise(setImmediate);
};

describe("an instance, in time,", () => {
  let clock: FakeClock;
  let broker: ReturnType<typeof createBroker>;
  let home: TestHome;

  /** Advances in steps, so that heartbeats are answered meanwhile. */
  const pass = async (ms: number): Promise<void> => {
    for (let left = ms; left > 0; left -= 1000) {
      clock.advance(Math.min(left, 1000));
      await settle();
    }
  };

  /** Reads until the time-out, while the time passes. */
  const read = async (instance = "i") => {
    const reading = home.read(instance);
    await settle();
    await pass(1000);
    return reading;
  };

  beforeEach(async () => {
    clock = createFakeClock();
    broker = createBroker(clock);
    for (const name of ["eu-orders", "us-orders"]) await broker.ensureTopic({ name, partitions: 1 });
    home = await openHome(broker, { clock, consumerTimeout: () => 60_000 });
  });

  afterEach(async () => {
    await home.close("lost");
    await broker.close();
  });

  it("ends after the consumer timeout without a call, and commits nothing", async () => {
    await append(broker, "eu-orders", 0, [1]);
    await home.reader("i", ["eu-orders"]);
    expect(valuesOf(await read())).toEqual([1]);
    await pass(50_000);
    await home.call("subscription", {});
    await pass(50_000);
    await home.call("subscription", {});
    await pass(62_000);
    await expect(home.call("subscription", {})).rejects.toThrow(refusal("INSTANCE_UNKNOWN"));
    expect(await home.committed("eu-orders")).toEqual({});
    expect(home.readers.groups).toBe(0);
  });

  it("matches its pattern again every 30 s, on whole names that its caller may read", async () => {
    await home.call("create", createArguments());
    const readable = [["*-orders"]];
    await home.call("subscribe", { pattern: "(eu|us|jp)-ord.*" }, { readable });
    const topics = async () =>
      ((await home.call("subscription", {}, { readable })).body as { topics: string[] }).topics.sort();
    expect(await topics()).toEqual(["eu-orders", "us-orders"]);
    for (const name of ["jp-orders", "jp-orders2", "my-jp-orders"])
      await broker.ensureTopic({ name, partitions: 1 });
    await append(broker, "jp-orders", 0, ["jp"]);
    await pass(31_000);
    expect(await topics()).toEqual(["eu-orders", "jp-orders", "us-orders"]);
    const reading = home.call("records", { accept: [{ type: "t" }], timeoutMs: 5000 }, { readable });
    await settle();
    await pass(2000);
    expect((await reading).body).toMatchObject([{ topic: "jp-orders", value: "jp" }]);
    expect(
      ((await home.call("subscription", {}, { readable: [["eu-*"]] })).body as { topics: string[] }).topics,
    ).toEqual(["eu-orders"]);
  });

  it("refuses a pattern that needs backtracking", async () => {
    await home.call("create", createArguments());
    await expect(home.call("subscribe", { pattern: "(a)\\1" })).rejects.toThrow(refusal("SHAPE_INVALID"));
    await expect(home.call("subscribe", { pattern: "(" })).rejects.toThrow(refusal("SHAPE_INVALID"));
  });
});
