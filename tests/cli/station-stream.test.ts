/** The stream of a station for the commands, against a fake gateway. */
import { createClient } from "../../src/cli/client.ts";
import { asFailure } from "../../src/cli/shell.ts";
import { backOffMs, createStationStream, type StreamReading } from "../../src/cli/station-stream.ts";
import type { StreamedEvent } from "../../src/cli/stream-lines.ts";
import type { Clock } from "../../src/lib/clock.ts";
import { eventLine, startFakeStreams, type FakeStreams } from "../support/fake-stream.ts";

let gateway: FakeStreams;
let ending: AbortController;

beforeEach(async () => {
  gateway = await startFakeStreams();
  ending = new AbortController();
});
afterEach(async () => {
  ending.abort();
  await gateway.close();
});

const base64 = (bytes: Buffer | string): string => Buffer.from(bytes).toString("base64");

const start = (options: Partial<StreamReading> = {}) => {
  const events: StreamedEvent[] = [];
  const notes: string[] = [];
  const waits: number[] = [];
  let ready = (): void => undefined;
  const isReady = new Promise<void>((resolve) => (ready = resolve));
  let watch = (): void => undefined;
  let now = 0;
  /** A clock on which each wait is over at once. */
  const clock: Clock = {
    now: () => now,
    monotonic: () => now,
    after: (ms, action) => {
      waits.push(ms);
      now += ms;
      const timer = setImmediate(action);
      return () => {
        clearImmediate(timer);
      };
    },
  };
  const client = createClient({ url: gateway.url, credential: { kind: "bearer", token: "secret" } });
  const stream = createStationStream({
    ...{ client, clock, station: "clicks", retryForMs: 60_000, signal: ending.signal, onReady: ready },
    shell: { note: (line) => notes.push(line) },
    onEvent: (event) => {
      events.push(event);
      watch();
      return Promise.resolve();
    },
    ...options,
  });
  const ended = stream.run().then(() => undefined, asFailure);
  return {
    ...{ stream, events, notes, waits, ended, isReady },
    has: (count: number) =>
      new Promise<void>((resolve) => {
        watch = () => {
          if (events.length >= count) resolve();
        };
        watch();
      }),
  };
};

it("waits 1 to 3 s after the first failure, and at most 30 s", () => {
  for (let i = 0; i < 100; i++) {
    expect(backOffMs(1)).toBeGreaterThanOrEqual(1000);
    expect(backOffMs(1)).toBeLessThanOrEqual(3000);
    expect(backOffMs(50)).toBeLessThanOrEqual(30_000);
  }
});

it("asks for the station in base64, and decodes the parts", async () => {
  const { events, has, isReady } = start({ station: "a b", from: "earliest", filter: ["/n==1", "/a==x"] });
  const stream = await gateway.next();
  expect(stream.request.url.pathname).toBe("/stations/a%20b/consume/stream");
  expect([...stream.request.url.searchParams]).toEqual([
    ["encoding", "base64"],
    ["from", "earliest"],
    ["filter", "/n==1"],
    ["filter", "/a==x"],
  ]);
  expect(stream.request.headers).toMatchObject({
    accept: "application/x-ndjson",
    authorization: "Bearer secret",
  });
  stream.write({ id: "id-0" });
  await isReady;
  const binary = Buffer.from([0, 255, 10]);
  stream.write(
    eventLine(1, {
      value: base64(binary),
      headers: { a: base64("1"), b: [base64("2"), null] },
      base64: ["value", "headers.a", "headers.b"],
    }),
    eventLine(2, { value: null, tombstone: true }),
  );
  await has(2);
  expect(events).toEqual([
    {
      ...{ partition: 0, offset: "1", value: binary },
      headers: [
        ["a", Buffer.from("1")],
        ["b", Buffer.from("2")],
        ["b", null],
      ],
    },
    { partition: 0, offset: "2", value: null, headers: [] },
  ]);
});

it("reconnects with the id of the last received event", async () => {
  const { stream, has, notes, ended } = start({ after: "id-0" });
  const first = await gateway.next();
  expect(first.request.headers["last-event-id"]).toBe("id-0");
  first.write(eventLine(1, { value: base64("x"), base64: ["value"] }));
  await has(1);
  first.write({ end: { reason: "shutdown" } });
  first.end();
  const second = await gateway.next();
  expect(second.request.headers["last-event-id"]).toBe("id-1");
  second.write({ gap: { partition: 0, from: "2", to: "5" } }, eventLine(5, { value: "x" }));
  await has(2);
  second.write("not a line\n");
  const third = await gateway.next();
  expect(third.request.headers["last-event-id"]).toBe("id-5");
  third.reset();
  await gateway.next();
  ending.abort();
  await ended;
  expect(stream.lastId()).toBe("id-5");
  expect(notes).toEqual([
    "the gateway ended the stream: shutdown; trying again",
    "partition 0: the events from offset 2 to 4 are lost",
    "a line of the stream is not from a Stationgate gateway; trying again",
    expect.stringMatching(/^the stream broke \(.+\); trying again$/),
  ]);
});

it.each([
  [401, "forbidden"],
  [403, "forbidden"],
  [404, "failed"],
])("ends on %i", async (status, exit) => {
  gateway.refuse(status);
  const failure = await start().ended;
  expect(failure).toMatchObject({ exit, message: `refused ${status} (${status})` });
  expect(gateway.requests).toHaveLength(1);
});

it("tries again after Retry-After, for the given time", async () => {
  gateway.refuse(503, { "Retry-After": "7" });
  gateway.refuse(503);
  gateway.refuse(200, { "Content-Type": "text/html" }, "<h1>hotel</h1>");
  gateway.refuse(503, { "Retry-After": "60" });
  const { ended, waits, notes } = start();
  expect(await ended).toMatchObject({ exit: "unreachable", message: "refused 503 (503)" });
  expect(waits).toHaveLength(3);
  expect(waits[0]).toBeGreaterThanOrEqual(8000);
  expect(notes).toHaveLength(2);
});
