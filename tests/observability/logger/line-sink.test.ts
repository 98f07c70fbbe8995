import { createLineSink, type LineSink } from "../../../src/observability/logger/line-sink.ts";
import type { Outlet } from "../../../src/observability/logger/outlet.ts";
import { createFakeClock, type FakeClock } from "../../support/fake-clock.ts";

/** An outlet that accepts as many bytes as the test allows. `took` has the text of each write. */
interface FakeSystem {
  took: string[];
  /** Results of the next writes: a number of bytes, or an error code. When empty, each write takes all bytes. */
  answers: (number | string)[];
  /** The error code of every write. */
  stalled: string | undefined;
}

const fault = (code: string): Error => Object.assign(new Error(code), { code });

const createRig = (
  options: { maxWaitingBytes?: number; terminal?: boolean } = {},
): { system: FakeSystem; sink: LineSink; clock: FakeClock; text: () => string } => {
  const system: FakeSystem = { took: [], answers: [], stalled: undefined };
  const clock = createFakeClock();
  const write = (bytes: Buffer): number => {
    const answer = system.stalled ?? system.answers.shift() ?? bytes.length;
    if (typeof answer === "string") throw fault(answer);
    system.took.push(bytes.subarray(0, answer).toString());
    return answer;
  };
  const outlet: Outlet = { write, writeNow: write, terminal: options.terminal ?? false };
  const dropped = (lines: number): string => `dropped ${String(lines)}\n`;
  const { maxWaitingBytes } = options;
  const sink = createLineSink({
    ...{ outlet, clock, dropped },
    ...(maxWaitingBytes === undefined ? {} : { maxWaitingBytes }),
  });
  return { system, sink, clock, text: () => system.took.join("") };
};

/** 100 bytes with its newline. */
const line = (n: number): string => `${String(n).padStart(99, "0")}\n`;
const lines = (from: number, to: number): string =>
  Array.from({ length: to - from }, (_, n) => line(from + n)).join("");

const writeLines = (sink: LineSink, from: number, to: number): void => {
  for (let n = from; n < to; n++) sink.write(line(n));
};

describe("gathering", () => {
  it("writes pieces of whole lines, at most 4096 bytes each", () => {
    const { system, sink } = createRig();
    writeLines(sink, 0, 100);
    expect(system.took).toEqual([lines(0, 40), lines(40, 80)]);
  });

  it("counts bytes, not characters", () => {
    const { system, sink } = createRig();
    for (let n = 0; n < 30; n++) sink.write(`${"ü€".repeat(40)}\n`);
    expect(system.took).toEqual([`${"ü€".repeat(40)}\n`.repeat(20)]);
  });

  it("writes each line within 250 ms", () => {
    const { clock, sink, text } = createRig();
    sink.write("one\n");
    clock.advance(249);
    sink.write("two\n");
    expect(text()).toBe("");
    clock.advance(1);
    expect(text()).toBe("one\ntwo\n");
    sink.write("three\n");
    clock.advance(250);
    expect(text()).toBe("one\ntwo\nthree\n");
  });

  it("writes a line that is longer than a piece alone and in order", () => {
    const { system, sink } = createRig();
    const long = `${"x".repeat(5000)}\n`;
    sink.write("before\n");
    sink.write(long);
    sink.write("after\n");
    expect(system.took).toEqual(["before\n", long]);
  });

  it("writes each line at once to a terminal", () => {
    const { system, sink } = createRig({ terminal: true });
    sink.write("one\n");
    sink.write("two\n");
    expect(system.took).toEqual(["one\n", "two\n"]);
  });
});

describe("a slow reader", () => {
  it("gets the rest of a partly written piece", () => {
    const { system, sink, text } = createRig();
    system.answers = [1, 2000];
    writeLines(sink, 0, 100);
    expect(text()).toBe(lines(0, 80));
  });

  it("gets all lines in order when it reads again", () => {
    const { system, sink, clock, text } = createRig();
    system.answers = [1234, "EAGAIN"];
    writeLines(sink, 0, 41);
    system.stalled = "EAGAIN";
    writeLines(sink, 41, 1000);
    clock.advance(1000);
    expect(text()).toHaveLength(1234);
    system.stalled = undefined;
    clock.advance(250);
    expect(text()).toBe(lines(0, 1000));
  });

  it("does not block the event loop when it reads again", () => {
    const { system, sink, clock } = createRig();
    system.stalled = "EAGAIN";
    writeLines(sink, 0, 40 * 200);
    system.stalled = undefined;
    clock.advance(10);
    expect(system.took).toHaveLength(64);
    clock.advance(10);
    expect(system.took).toHaveLength(128);
  });

  it("gets the number of dropped lines if the limit was exceeded", () => {
    const { system, sink, clock, text } = createRig({ maxWaitingBytes: 16_000 });
    system.stalled = "EAGAIN";
    writeLines(sink, 0, 400);
    clock.advance(250);
    system.stalled = undefined;
    clock.advance(10);
    writeLines(sink, 400, 440);
    clock.advance(250);
    expect(text()).toBe(`${lines(0, 160)}dropped 240\n${lines(400, 440)}`);
  });

  it("gets a line that is larger than the limit", () => {
    const { system, sink } = createRig({ maxWaitingBytes: 4096 });
    const long = `${"x".repeat(9000)}\n`;
    sink.write(long);
    expect(system.took).toEqual([long]);
  });

  it("gets all lines after a disk was full for a while", () => {
    const { system, sink, clock, text } = createRig();
    system.answers = [100, "ENOSPC"];
    writeLines(sink, 0, 41);
    system.stalled = "ENOSPC";
    clock.advance(1000);
    system.stalled = undefined;
    clock.advance(250);
    expect(text()).toBe(lines(0, 41));
  });
});

it("continues when the reader is gone, and writes for the next reader", () => {
  const { system, sink, clock, text } = createRig();
  system.stalled = "EPIPE";
  writeLines(sink, 0, 1000);
  clock.advance(250);
  system.stalled = undefined;
  writeLines(sink, 1000, 1040);
  clock.advance(250);
  expect(text()).toBe(lines(1000, 1040));
});

describe("close", () => {
  it("writes the gathered lines", async () => {
    const { sink, text } = createRig();
    sink.write("last\n");
    await sink.close();
    expect(text()).toBe("last\n");
  });

  it("waits for a slow reader for a limited time", async () => {
    const { system, sink, clock, text } = createRig();
    system.stalled = "EAGAIN";
    writeLines(sink, 0, 3);
    const slow = sink.close();
    clock.advance(500);
    system.stalled = undefined;
    clock.advance(10);
    await slow;
    expect(text()).toBe(lines(0, 3));

    system.stalled = "EAGAIN";
    writeLines(sink, 3, 6);
    const never = sink.close();
    clock.advance(2000);
    await never;
  });

  it("writes synchronously as much as the system takes, with flushNow", () => {
    const { system, sink, text } = createRig();
    system.answers = ["EAGAIN"];
    writeLines(sink, 0, 42);
    sink.flushNow();
    expect(text()).toBe(lines(0, 42));
    system.stalled = "EAGAIN";
    sink.write("nobody reads this\n");
    sink.flushNow();
    expect(text()).toBe(lines(0, 42));
  });
});

it("writes one piece after the other if another thread writes", async () => {
  const took: string[] = [];
  const answers: ((taken: number) => void)[] = [];
  const outlet: Outlet = {
    terminal: false,
    writeNow: () => 0,
    write: (bytes) => {
      took.push(bytes.toString());
      return new Promise((resolve) => answers.push(resolve));
    },
  };
  const sink = createLineSink({ outlet, clock: createFakeClock(), dropped: String });
  writeLines(sink, 0, 120);
  const closed = sink.close();
  expect(took).toEqual([lines(0, 40)]);
  answers.shift()?.(1000);
  await new Promise(setImmediate);
  expect(took.slice(1)).toEqual([lines(10, 40)]);
  for (let n = 0; n < 3; n++) {
    answers.shift()?.(took.at(-1)?.length ?? 0);
    await new Promise(setImmediate);
  }
  await closed;
  expect(took.slice(2)).toEqual([lines(40, 80), lines(80, 120)]);
});
