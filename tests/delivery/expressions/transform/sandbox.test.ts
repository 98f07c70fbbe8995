import { eventOf } from "../../../../src/delivery/expressions/event.ts";
import { createSandbox, type Sandbox } from "../../../../src/delivery/expressions/transform/sandbox.ts";
import { createFakeClock, type FakeClock } from "../../../support/fake-clock.ts";
import { recordOf } from "../events.ts";
import { createFakeChildren, type FakeChild } from "./fake-children.ts";

let clock: FakeClock;
let children: readonly FakeChild[];
let sandbox: Sandbox;

beforeEach(() => {
  const fake = createFakeChildren();
  ({ children } = fake);
  clock = createFakeClock();
  sandbox = createSandbox({
    limits: { timeout: 100, memory: 64 * 1024 ** 2 },
    clock,
    startChild: fake.start,
  });
});

const run = async (expression: string, value: unknown = 1): Promise<unknown> => {
  const record = recordOf(value);
  const end = await sandbox.run(expression, eventOf(record), record.value);
  return end.status === "done" ? { ...end, json: end.json.toString() } : end;
};

const childAt = (index: number): FakeChild => {
  const child = children[index];
  if (child === undefined) throw new RangeError(`There is no child ${index}`);
  return child;
};

/** Advances the clock, and lets the lane look at what has arrived. */
const pass = async (ms: number): Promise<void> => {
  clock.advance(ms);
  await new Promise(setImmediate);
};

const STOPPED = { status: "failed", reason: "it has run for longer than 100ms" };

describe("jobs", () => {
  it("start a child, wait until it is ready, and get its answers in order", async () => {
    const results = Promise.all([run("a", { x: 1 }), run("b"), run("c")]);

    expect(children).toHaveLength(1);
    expect(childAt(0).jobs).toStrictEqual([]);

    childAt(0).ready();

    expect(childAt(0).jobs).toStrictEqual([
      ["a", '{"x":1}'],
      ["b", "1"],
      ["c", "1"],
    ]);

    childAt(0).done("11");
    childAt(0).failed("no result");
    childAt(0).done('{"y":2}');

    await expect(results).resolves.toStrictEqual([
      { status: "done", json: "11" },
      { status: "failed", reason: "no result" },
      { status: "done", json: '{"y":2}' },
    ]);
  });

  it("know the variables of the event", () => {
    void run("a");
    childAt(0).ready();

    expect(childAt(0).variables).toStrictEqual({
      ...{ topic: "orders", key: "k1", partition: 3, offset: 7, eventType: "order.paid" },
      ...{ headers: { "x-event-type": "order.paid" }, time: "2026-03-01T10:00:00.000Z" },
    });
  });

  it("wait in the parent while 16 of them, or 1 MiB, are with the child", () => {
    for (let index = 0; index < 20; index += 1) void run("a");
    childAt(0).ready();

    expect(childAt(0).jobs).toHaveLength(16);

    childAt(0).done("1");

    expect(childAt(0).jobs).toHaveLength(16);
  });

  it("that are large are with the child alone", () => {
    for (let index = 0; index < 3; index += 1) void run("a", "x".repeat(2 * 1024 ** 2));
    childAt(0).ready();

    expect(childAt(0).jobs).toHaveLength(1);
  });
});

describe("a transform that runs too long", () => {
  it("is stopped with its child, and the other jobs go to a new child", async () => {
    const runaway = run("runaway");
    const other = run("other");
    childAt(0).ready();
    await pass(99);

    expect(childAt(0).isKilled).toBe(false);

    await pass(1);

    expect(childAt(0).isKilled).toBe(true);

    childAt(1).ready();

    expect(childAt(1).jobs).toStrictEqual([["other", "1"]]);

    childAt(1).done("2");

    await expect(runaway).resolves.toStrictEqual(STOPPED);
    await expect(other).resolves.toMatchObject({ status: "done" });
  });

  it("has its own time, which begins with the answer before", async () => {
    const results = [run("a"), run("b")];
    childAt(0).ready();
    await pass(90);
    childAt(0).done("1");
    await pass(90);

    expect(childAt(0).isKilled).toBe(false);

    childAt(0).done("2");

    await expect(Promise.all(results)).resolves.toMatchObject([{ status: "done" }, { status: "done" }]);
  });

  it("has not run while its child didn't get the CPU, but ends after ten times the limit", async () => {
    const result = run("a");
    childAt(0).ready();
    childAt(0).cpuMs = 40;
    await pass(100);

    expect(childAt(0).isKilled).toBe(false);

    for (let waited = 100; waited < 1000; waited += 60) await pass(60);

    expect(childAt(0).isKilled).toBe(true);

    await expect(result).resolves.toStrictEqual(STOPPED);
  });

  it("is stopped when its child has used the time on the CPU", async () => {
    void run("a");
    childAt(0).ready();
    childAt(0).cpuMs = 90;
    await pass(100);

    expect(childAt(0).isKilled).toBe(true);
  });

  it("doesn't delay an expression that has run ten times", async () => {
    for (let index = 0; index < 10; index += 1) {
      const result = run("proven");
      if (index === 0) childAt(0).ready();
      childAt(0).done("1");
      await result;
    }
    void run("runaway");
    const proven = run("proven");
    childAt(1).ready();

    expect(childAt(0).jobs).toStrictEqual([["runaway", "1"]]);

    childAt(1).done("1");

    await expect(proven).resolves.toMatchObject({ status: "done" });
  });
});

describe("a pause", () => {
  /** The newest child becomes ready, and so does the child that replaces it. */
  const stop = async (expression: string): Promise<void> => {
    const result = run(expression);
    childAt(children.length - 1).ready();
    await pass(100);
    childAt(children.length - 1).ready();
    await result;
  };

  it("begins with 1 s and doubles up to 1 min", async () => {
    const pauses: number[] = [];
    for (let index = 0; index < 8; index += 1) {
      await stop("runaway");
      const { ms } = (await run("runaway")) as { ms: number };
      pauses.push(ms);
      clock.advance(ms);
    }

    expect(pauses).toStrictEqual([1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000]);
  });

  it("is short again after a minute without a stop", async () => {
    await stop("runaway");
    clock.advance(1000 + 60_000);
    await stop("runaway");

    await expect(run("runaway")).resolves.toStrictEqual({ status: "paused", ms: 1000 });
  });

  it("answers the waiting jobs of the expression, and no others", async () => {
    const runaway = [run("runaway"), run("runaway")];
    const other = run("other");
    childAt(0).ready();
    await pass(100);
    childAt(1).ready();

    expect(childAt(1).jobs).toStrictEqual([["other", "1"]]);

    childAt(1).done("1");

    await expect(Promise.all([...runaway, other])).resolves.toMatchObject([
      STOPPED,
      { status: "paused", ms: 1000 },
      { status: "done" },
    ]);
  });
});

describe("a child that ends by itself", () => {
  it("because of its memory stops the running transform", async () => {
    const results = Promise.all([run("bomb"), run("other")]);
    childAt(0).ready();
    childAt(0).end("memory");
    childAt(1).ready();
    childAt(1).done("1");

    await expect(results).resolves.toMatchObject([
      { status: "failed", reason: "it has needed more memory than 64mb" },
      { status: "done" },
    ]);
    await expect(run("bomb")).resolves.toMatchObject({ status: "paused" });
  });

  it("for another reason runs the transform once more", async () => {
    const result = run("a");
    childAt(0).ready();
    childAt(0).end("other");
    childAt(1).ready();
    childAt(1).done("1");

    await expect(result).resolves.toMatchObject({ status: "done" });
  });

  it("for another reason twice stops the transform", async () => {
    const result = run("a");
    childAt(0).ready();
    childAt(0).end("other");
    childAt(1).ready();
    childAt(1).end("other");

    await expect(result).resolves.toMatchObject({ status: "failed" });
  });

  it("before it is ready rejects the jobs, and the next job starts another child", async () => {
    const result = run("a");
    childAt(0).end("other");

    await expect(result).rejects.toMatchObject({ code: "INTERNAL" });

    const next = run("a");
    childAt(1).ready();
    childAt(1).done("1");

    await expect(next).resolves.toMatchObject({ status: "done" });
  });

  it("without a job is replaced when a job comes", () => {
    void run("a");
    childAt(0).ready();
    childAt(0).done("1");
    childAt(0).end("other");

    expect(children).toHaveLength(1);

    void run("a");

    expect(children).toHaveLength(2);
  });
});

it("rejects the jobs of a child that is not ready after 10 s", async () => {
  const result = run("a");
  clock.advance(10_000);

  expect(childAt(0).isKilled).toBe(true);

  await expect(result).rejects.toMatchObject({ code: "INTERNAL" });
});

it("kills the children and rejects the jobs when it closes", async () => {
  const result = run("a");
  childAt(0).ready();
  sandbox.close();

  expect(childAt(0).isKilled).toBe(true);

  await expect(result).rejects.toMatchObject({ code: "SHUTTING_DOWN" });
  await expect(run("a")).rejects.toMatchObject({ code: "SHUTTING_DOWN" });
});
