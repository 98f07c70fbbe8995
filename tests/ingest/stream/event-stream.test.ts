import { PassThrough, Writable } from "node:stream";
import fc from "fast-check";
import { GatewayError } from "../../../src/errors.ts";
import { createJsonCutter } from "../../../src/ingest/stream/cutters.ts";
import type { EventOutcome } from "../../../src/ingest/produce.ts";
import { runStream, type StreamLimits } from "../../../src/ingest/stream/event-stream.ts";
import type { StreamItem, StreamProtocol } from "../../../src/ingest/stream/stream-protocol.ts";
import { createFakeClock } from "../../support/fake-clock.ts";

interface Item extends StreamItem {
  readonly text: string;
}

const LIMITS: StreamLimits = {
  idleTimeout: 30_000,
  maxAge: 3_600_000,
  maxUnanswered: 5,
  maxUnansweredBytes: 1000,
};

const stored = (offset: number): EventOutcome => ({
  status: "stored",
  partition: 0,
  offset: BigInt(offset),
  timestamp: 0,
});

/** A turn of the event loop, in which streams pass on their chunks. */
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

interface Options {
  readonly limits?: Partial<StreamLimits>;
  readonly ordered?: boolean;
  /** Each store waits for `release`. */
  readonly held?: boolean;
  /** Size of the output's buffer in bytes. */
  readonly highWaterMark?: number;
  /** The client reads no reports before `startReading`. */
  readonly isClientSlow?: boolean;
  /** Milliseconds from the start until the credential expires. */
  readonly expiresAfter?: number;
}

/** A stream of `{"n":…}`. Each event is stored at the offset n. An event with n < 0 can't be read; "fatal" ends the stream. */
const NEVER = new AbortController().signal;

const setUp = (options: Options = {}) => {
  const input = new PassThrough();
  const lines: string[] = [];
  let startReading = (): void => undefined;
  const started = new Promise<void>((resolve) => (startReading = resolve));
  const output = new Writable({
    highWaterMark: options.highWaterMark ?? 1 << 20,
    write: (chunk: Buffer, _, done) => {
      const take = (): void => {
        lines.push(...chunk.toString().split("\n").filter(Boolean));
        done();
      };
      if (options.isClientSlow === true) void started.then(take);
      else take();
    },
  });
  const clock = createFakeClock();
  const revoked = new AbortController();
  const stopping = new AbortController();
  const handedOver: string[] = [];
  const releases: (() => void)[] = [];

  const outcomeOf = ({ event, text }: Item): EventOutcome =>
    event instanceof GatewayError
      ? { status: "failed", error: event }
      : stored((JSON.parse(text) as { n: number }).n);

  const protocol: StreamProtocol<Item> = {
    cutter: createJsonCutter({ maxBytes: 100 }),
    ordered: options.ordered ?? true,
    read: (buffer) => {
      const text = buffer.toString();
      if (text.includes("fatal")) return new GatewayError("JSON_INVALID");
      const bad = text.includes("-");
      const event = bad
        ? new GatewayError("REQUEST_INVALID")
        : { value: buffer, contentType: undefined, headers: [] };
      return { event, text };
    },
    store: async (items) => {
      handedOver.push(...items.map(({ text }) => text));
      const unread = items.every(({ event }) => event instanceof GatewayError);
      if (options.held === true && !unread) await new Promise<void>((resolve) => releases.push(resolve));
      return items.map(outcomeOf);
    },
    report: ({ text }, outcome) => `${text} ${outcome.status}`,
    ended: (error) => `ended ${error.code}`,
  };
  const done = runStream({
    input,
    output,
    protocol,
    clock,
    stopping: stopping.signal,
    revoked: revoked.signal,
    limits: { ...LIMITS, ...options.limits },
    expires: options.expiresAfter === undefined ? undefined : clock.now() + options.expiresAfter,
  });
  return {
    input,
    output,
    lines,
    clock,
    handedOver,
    stopping,
    revoked,
    done,
    startReading,
    /** Settles the oldest waiting store. */
    release: async () => {
      releases.shift()?.();
      await turn();
    },
    send: async (text: string) => {
      input.write(text);
      await turn();
      await turn();
    },
  };
};

const event = (n: number): string => `{"n":${n}}`;
const events = (from: number, count: number): string =>
  Array.from({ length: count }, (_, i) => event(from + i)).join("");
const code = (end: unknown): unknown => (end instanceof GatewayError ? end.code : end);

describe("a stream", () => {
  it("reports each event in order at every chunk size", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 40 }),
        fc.constantFrom("", "\n", " \r\n"),
        async (size, separator) => {
          const { input, lines, done } = setUp();
          const texts = [
            '{"n":1,"s":"é☃😀"}',
            '{"n":-2}',
            '{"n":3,"s":"}\\"{"}',
            ...Array.from({ length: 20 }, (_, n) => event(n)),
          ];
          const bytes = Buffer.from(texts.join(separator));
          for (let at = 0; at < bytes.length; at += size) input.write(bytes.subarray(at, at + size));
          input.end();
          expect(await done).toBe("complete");
          expect(lines).toEqual(texts.map((text) => `${text} ${text.includes("-") ? "failed" : "stored"}`));
        },
      ),
      { numRuns: 60 },
    );
  });

  it("reports before the end of the input, and continues after an unreadable event", async () => {
    const { send, lines, input, done } = setUp();
    await send(`${event(1)}{"n":-1}`);
    expect(lines).toEqual(['{"n":1} stored', '{"n":-1} failed']);
    await send(event(2));
    expect(lines).toHaveLength(3);
    input.end();
    expect(await done).toBe("complete");
  });

  it("keeps the order of reports if a later event has its outcome first", async () => {
    const { send, release, lines } = setUp({ held: true });
    await send(event(1));
    await send('{"n":-2}');
    expect(lines).toEqual([]);
    await release();
    expect(lines).toEqual(['{"n":1} stored', '{"n":-2} failed']);
  });

  it("reports each outcome as soon as it is known if no order is required", async () => {
    const { send, release, lines } = setUp({ held: true, ordered: false });
    await send(`${event(1)}{"n":-2}${event(3)}`);
    expect(lines).toEqual(['{"n":-2} failed']);
    await release();
    expect(lines.slice(1)).toEqual(['{"n":1} stored', '{"n":3} stored']);
  });

  it("pauses reading at the maximum number of unanswered events", async () => {
    const { send, release, handedOver, input } = setUp({ held: true });
    await send(events(0, 8));
    expect(handedOver).toHaveLength(5);
    await send(events(8, 8));
    expect(handedOver).toHaveLength(5);
    expect(input.isPaused()).toBe(true);
    await release();
    expect(handedOver).toHaveLength(10);
    await release();
    await release();
    expect(handedOver).toHaveLength(15);
  });

  it("pauses at the maximum bytes of unanswered events", async () => {
    const { send, handedOver } = setUp({ held: true, limits: { maxUnansweredBytes: 15 } });
    await send(events(0, 4));
    expect(handedOver).toHaveLength(3);
  });

  it("pauses reading while the client does not read its reports", async () => {
    const { send, startReading, handedOver, input, lines, done } = setUp({
      isClientSlow: true,
      highWaterMark: 1,
    });
    await send(events(0, 3));
    await send(events(3, 3));
    await send(events(6, 3));
    expect(handedOver).toHaveLength(3);
    expect(input.isPaused()).toBe(true);
    input.end();
    startReading();
    expect(await done).toBe("complete");
    expect(lines).toHaveLength(9);
  });
});

describe("the end of a stream", () => {
  it("follows broken JSON: a last report, and no further events", async () => {
    const { send, lines, done, handedOver } = setUp();
    await send(`${event(1)}nope${event(2)}`);
    expect(code(await done)).toBe("JSON_INVALID");
    expect(lines).toEqual(['{"n":1} stored', "ended JSON_INVALID"]);
    expect(handedOver).toHaveLength(1);
  });

  it("follows a text that ends the stream, after the earlier reports", async () => {
    const { send, release, lines, done } = setUp({ held: true });
    await send(`${event(1)}{"fatal":1}${event(2)}`);
    expect(lines).toEqual([]);
    await release();
    expect(code(await done)).toBe("JSON_INVALID");
    expect(lines).toEqual(['{"n":1} stored', "ended JSON_INVALID"]);
  });

  it("has an error report even if the input has ended before", async () => {
    const { input, release, lines, done } = setUp({ held: true, limits: { maxUnanswered: 1 } });
    input.end(`${event(1)}{"fatal":1}`);
    await turn();
    await turn();
    await release();
    expect(code(await done)).toBe("JSON_INVALID");
    expect(lines.at(-1)).toBe("ended JSON_INVALID");
  });

  it("follows the expiry of the credential, with a last report and no further stores", async () => {
    const { send, clock, lines, done, handedOver } = setUp({ expiresAfter: 5000 });
    await send(event(1));
    clock.advance(4999);
    await send(event(2));
    clock.advance(1);
    expect(code(await done)).toBe("UNAUTHORIZED");
    expect(lines).toEqual(['{"n":1} stored', '{"n":2} stored', "ended UNAUTHORIZED"]);
    expect(handedOver).toHaveLength(2);
  });

  it("follows the expiry of the credential also if events wait", async () => {
    const { input, clock, release, lines, done, handedOver } = setUp({
      held: true,
      limits: { maxUnanswered: 1 },
      expiresAfter: 1000,
    });
    input.end(`${event(1)}${event(2)}`);
    await turn();
    await turn();
    clock.advance(1000);
    await release();
    expect(code(await done)).toBe("UNAUTHORIZED");
    expect(lines).toEqual(['{"n":1} stored', "ended UNAUTHORIZED"]);
    expect(handedOver).toHaveLength(1);
  });

  it("is not caused by an expiry that is months away", async () => {
    const { input, clock, done } = setUp({
      limits: { maxAge: 100 * 86_400_000, idleTimeout: 100 * 86_400_000 },
      expiresAfter: 90 * 86_400_000,
    });
    clock.advance(80 * 86_400_000);
    input.end();
    expect(await done).toBe("complete");
  });

  it("follows the idle timeout", async () => {
    const { send, clock, lines, done } = setUp();
    clock.advance(20_000);
    await send(" \n");
    clock.advance(20_000);
    await send('{"n"');
    clock.advance(29_999);
    expect(lines).toEqual([]);
    clock.advance(1);
    expect(code(await done)).toBe("REQUEST_TIMEOUT");
    expect(lines).toEqual(["ended REQUEST_TIMEOUT"]);
  });

  it("does not follow the idle timeout while reading is paused", async () => {
    const { send, release, clock, lines, input, done } = setUp({ held: true });
    await send(events(0, 5));
    clock.advance(60_000);
    await release();
    expect(lines).toHaveLength(5);
    input.end();
    expect(await done).toBe("complete");
  });

  it("follows the maximum age, also on a busy stream", async () => {
    const { send, clock, lines, done } = setUp({ limits: { maxAge: 50_000 } });
    for (let n = 0; n < 3; n++) {
      await send(event(n));
      clock.advance(20_000);
    }
    expect(code(await done)).toBe("REQUEST_TIMEOUT");
    expect(lines).toHaveLength(4);
  });

  it("answers the events that were read before a shutdown", async () => {
    const { send, release, stopping, lines, done } = setUp({ held: true });
    await send(events(0, 7));
    stopping.abort();
    await send(event(9));
    for (let n = 0; n < 3; n++) await release();
    expect(code(await done)).toBe("SHUTTING_DOWN");
    expect(lines).toHaveLength(8);
    expect(lines.at(-1)).toBe("ended SHUTTING_DOWN");
  });

  it("comes at once if the process is already shutting down", async () => {
    const stopping = AbortSignal.abort();
    const output = new PassThrough();
    output.resume();
    const done = runStream<Item>({
      input: new PassThrough(),
      output,
      protocol: {
        cutter: createJsonCutter({ maxBytes: 100 }),
        ordered: true,
        read: () => new GatewayError("INTERNAL"),
        store: () => Promise.resolve([]),
        report: () => "",
        ended: ({ code: why }) => why,
      },
      limits: LIMITS,
      clock: createFakeClock(),
      stopping,
      revoked: NEVER,
    });
    output.once("end", () => output.destroy());
    expect(code(await done)).toBe("SHUTTING_DOWN");
  });

  it("stores only the events that were handed over before the client disconnected", async () => {
    const { send, release, output, handedOver, lines, done } = setUp({ held: true });
    await send(events(0, 8));
    output.destroy();
    expect(await done).toBe("gone");
    await release();
    expect(handedOver).toHaveLength(5);
    expect(lines).toEqual([]);
  });

  it("has a report if the input breaks", async () => {
    const { send, input, lines, done } = setUp();
    await send(event(1));
    input.emit("error", new Error("broken chunk"));
    expect(code(await done)).toBe("BODY_INCOMPLETE");
    expect(lines).toEqual(['{"n":1} stored', "ended BODY_INCOMPLETE"]);
  });

  it("closes the connection of a client that never reads its last report", async () => {
    const { input, clock, done, lines } = setUp({ isClientSlow: true });
    input.end(event(1));
    await clock.pending(30_000);
    await turn();
    await turn();
    clock.advance(30_000);
    await done;
    expect(lines).toEqual([]);
  });

  it("returns the error of a failed call as the outcome of each of its events", async () => {
    const { input, lines, done } = setUp();
    const output = new Writable({
      write: (chunk: Buffer, _, next) => {
        lines.push(chunk.toString());
        next();
      },
    });
    const failing = runStream<Item>({
      input: new PassThrough().end('{"n":1}{"n":2}'),
      output,
      protocol: {
        cutter: createJsonCutter({ maxBytes: 100 }),
        ordered: true,
        read: (text) => ({ event: { value: text, contentType: undefined, headers: [] }, text: "" }),
        store: () => Promise.reject(new GatewayError("STATION_FORBIDDEN")),
        report: (_, outcome) => (outcome.status === "failed" ? outcome.error.code : "stored"),
        ended: () => "",
      },
      limits: LIMITS,
      clock: createFakeClock(),
      stopping: NEVER,
      revoked: NEVER,
    });
    expect(await failing).toBe("complete");
    expect(lines).toEqual(["STATION_FORBIDDEN\nSTATION_FORBIDDEN\n"]);
    input.end();
    await done;
  });
});
