/** Streams on the memory broker and on fakes of it. */
import { setImmediate as turn } from "node:timers/promises";
import type { Broker, BrokerRecord } from "../../../src/broker/broker.ts";
import { createMemoryBroker } from "../../../src/broker/memory/memory-broker.ts";
import type { StreamFormat } from "../../../src/consume/stream/event-block.ts";
import type { EventFilter } from "../../../src/consume/stream/filter.ts";
import { parseId } from "../../../src/consume/stream/stream-id.ts";
import type { StreamStart } from "../../../src/consume/stream/start.ts";
import { createEventStreams, type StreamLimits } from "../../../src/consume/stream/streams.ts";
import { GatewayError } from "../../../src/errors.ts";
import { createMemoryBudget } from "../../../src/lib/memory-budget.ts";
import { createFakeClock } from "../../support/fake-clock.ts";

const NDJSON: StreamFormat = { api: "ndjson", base64: false };
const TOPIC = "t";

interface Line {
  readonly id?: string;
  readonly offset?: string;
  readonly value?: unknown;
  readonly gap?: object;
  readonly end?: object;
}

const event = (value: string, partition = 0): BrokerRecord => ({
  ...{ key: null, headers: [], timestamp: 0, partition },
  value: Buffer.from(value),
});

const toStop: AbortController[] = [];

afterEach(() => {
  for (const stopping of toStop.splice(0)) stopping.abort();
});

const setUp = async (
  limits: Partial<StreamLimits> = {},
  change: (broker: Broker) => Partial<Broker> = () => ({}),
) => {
  const memoryBroker = createMemoryBroker();
  await memoryBroker.ensureTopic({ name: TOPIC, partitions: 2 });
  const broker = { ...memoryBroker, ...change(memoryBroker) };
  const clock = createFakeClock();
  const memory = createMemoryBudget(8 << 20);
  const stopping = new AbortController();
  toStop.push(stopping);
  const cuts: string[] = [];
  const streams = createEventStreams({
    ...{ broker, clock, memory, stopping: stopping.signal },
    limits: {
      ...{
        heartbeat: 15_000,
        maxAge: 3_600_000,
        perPrincipal: 100,
        maxStreams: 100,
        ring: 1 << 20,
        catchUps: 1,
      },
      ...limits,
    },
    metrics: {
      streamsFrom: () => undefined,
      streamCut: (reason) => cuts.push(reason),
      eventsRead: () => undefined,
    },
    onError: () => undefined,
  });

  const open = (start: StreamStart = { from: "latest" }, filter?: EventFilter) => {
    let text = "";
    const client = { isFull: false, state: "open", writes: 0 };
    const stream = streams.reserve("me").open(TOPIC, {
      ...{ start, filter, format: NDJSON },
      output: {
        write: ({ body, chunk }) => {
          expect(chunk.toString()).toBe(`${body.length.toString(16)}\r\n${body.toString()}\r\n`);
          text += body.toString();
          client.writes += 1;
          return !client.isFull;
        },
        end: () => (client.state = "ended"),
        cut: () => (client.state = "cut"),
      },
    });
    const lines = (): Line[] =>
      text
        .split("\n")
        .filter((line) => line !== "")
        .map((line) => JSON.parse(line) as Line);
    /** Advances the clock until the condition holds. */
    const until = async (isReady: () => boolean): Promise<void> => {
      for (let i = 0; i < 2000 && !isReady(); i++) {
        await turn();
        clock.advance(1);
      }
      expect(isReady()).toBe(true);
    };
    const events = () => lines().filter(({ offset }) => offset !== undefined);
    return {
      ...{ client, stream, lines, events, until },
      values: async (count: number): Promise<unknown[]> => {
        await until(() => events().length >= count);
        return events().map(({ value }) => value);
      },
      ready: () => until(() => lines().some(({ id }) => id !== undefined)),
    };
  };
  const store = (...records: readonly BrokerRecord[]) => memoryBroker.append(TOPIC, records);
  return { broker, clock, memory, stopping, cuts, open, store };
};

const positionOf = (id = ""): StreamStart => {
  const position = parseId(id);
  if (position === undefined) throw new Error(`${id} is not an id`);
  return { from: "position", position };
};

it("gives streams that opened at different times the same ids for the same events", async () => {
  const { open, store } = await setUp();
  const first = open();
  await first.ready();
  await store(event("1"), event("2", 1));
  await first.values(2);
  const second = open();
  await second.ready();
  await store(event("3", 1), event("4"));
  const ids = (lines: Line[]) => lines.slice(-2).map(({ id }) => id);
  await first.values(4);
  expect(await second.values(2)).toEqual(expect.arrayContaining([3, 4]));
  expect(ids(second.events())).toEqual(ids(first.events()));
});

it("gives a client that comes back with any id each later event once", async () => {
  const { open, store } = await setUp();
  const whole = open({ from: "earliest" });
  await store(...Array.from({ length: 20 }, (_, n) => event(String(n), n % 2)));
  await whole.values(20);
  const events = whole.events();
  for (const [index, { id }] of events.entries()) {
    const resumed = open(positionOf(id));
    await resumed.ready();
    const later = events.slice(index + 1).map(({ value }) => value);
    expect((await resumed.values(later.length)).toSorted()).toEqual(later.toSorted());
    resumed.stream.closed();
  }
});

it("catches up with events that are older than the ring, and goes on with the ring", async () => {
  const { open, store } = await setUp({ ring: 4096 });
  const live = open();
  await live.ready();
  const [{ id } = {}] = live.lines();
  for (let n = 0; n < 50; n++) {
    await store(event(JSON.stringify({ n, text: "x".repeat(200) }), n % 2));
    await live.values(n + 1);
  }
  const resumed = open(positionOf(id));
  expect(await resumed.values(50)).toHaveLength(50);
  await store(event("50"));
  expect((await resumed.values(51)).at(-1)).toBe(50);
});

it("waits for a full socket, and continues from the ring", async () => {
  const { open, store, clock } = await setUp();
  const slow = open();
  const other = open();
  await slow.ready();
  await other.ready();
  slow.client.isFull = true;
  await store(event("1"));
  await other.values(1);
  await store(event("2"));
  await other.values(2);
  expect(await slow.values(1)).toEqual([1]);
  clock.advance(20_000);
  slow.client.isFull = false;
  slow.stream.drained();
  expect(await slow.values(2)).toEqual([1, 2]);
});

it("sends small batches together, to streams at the same place and to filtered streams", async () => {
  const { open, store } = await setUp();
  const isEven: EventFilter = ({ value }) => Number(value) % 2 === 0;
  const live = open();
  const full = [open(), open(), open({ from: "latest" }, isEven)];
  for (const stream of [live, ...full]) await stream.ready();
  for (const { client } of full) client.isFull = true;
  for (let n = 0; n < 10; n++) {
    await store(event(String(n)));
    await live.values(n + 1);
  }
  expect(live.client.writes).toBe(11);
  const written = full.map(({ client }) => client.writes);
  for (const { client, stream } of full) {
    client.isFull = false;
    stream.drained();
  }
  expect(full.map(({ client }, n) => client.writes - (written[n] ?? 0))).toEqual([1, 1, 1]);
  const ids = live.events().map(({ id }) => id);
  for (const { events } of full.slice(0, 2)) expect(events().map(({ id }) => id)).toEqual(ids);
  expect(full[2]?.events().map(({ value }) => value)).toEqual([0, 2, 4, 6, 8]);
  expect(full[2]?.events().at(-1)?.id).toBe(ids[8]);
});

it("cuts a stream after 30 s with a full socket, and a stream behind the ring at once", async () => {
  const { open, store, clock, cuts } = await setUp({ ring: 4096, maxStreams: 3 });
  const [slow, behind, live] = [open(), open(), open()];
  for (const stream of [slow, behind, live]) await stream.ready();
  slow.client.isFull = true;
  await store(event("1"));
  await live.values(1);
  clock.advance(31_000);
  expect([slow.client.state, cuts]).toEqual(["cut", ["slow"]]);
  behind.client.isFull = true;
  for (let n = 2; n < 30; n++) {
    await store(event(JSON.stringify("x".repeat(500))));
    await live.values(n);
  }
  expect([behind.client.state, live.client.state, cuts]).toEqual(["cut", "open", ["slow", "behind"]]);
});

it("names the events that retention removed", async () => {
  let low = 0n;
  const { open, store } = await setUp({}, (broker) => ({
    watermarks: async (topic) => (await broker.watermarks(topic)).map((marks) => ({ ...marks, low })),
  }));
  await store(event("0"), event("1"), event("2"));
  const first = open({ from: "earliest" });
  await first.values(3);
  low = 2n;
  const [{ id } = {}] = first.events();
  const resumed = open(positionOf(id));
  await resumed.ready();
  expect(resumed.lines()[0]).toEqual({ gap: { partition: 0, from: "1", to: "2" } });
  expect(await resumed.values(1)).toEqual([2]);
});

it("names the lost events of a topic that was created again, to open streams and to those that come back", async () => {
  let generation = createMemoryBroker();
  const { open } = await setUp({}, () => ({
    read: (...given) => generation.read(...given),
    watermarks: (topic) => generation.watermarks(topic),
    topicId: (topic) => generation.topicId(topic),
  }));
  await generation.ensureTopic({ name: TOPIC, partitions: 1 });
  const live = open();
  await live.ready();
  await generation.append(TOPIC, [event("1"), event("2")]);
  await live.values(2);
  const old = generation;
  generation = createMemoryBroker();
  await generation.ensureTopic({ name: TOPIC, partitions: 1 });
  await old.close();
  await live.until(() => live.lines().some(({ gap }) => gap !== undefined));
  await generation.append(TOPIC, [event("3")]);
  expect(await live.values(3)).toEqual([1, 2, 3]);
  expect(live.lines().find(({ gap }) => gap !== undefined)?.gap).toEqual({
    partition: 0,
    from: "2",
    to: "0",
  });
  const back = open(positionOf(live.events()[0]?.id));
  await back.ready();
  expect(back.lines()[0]).toEqual({ gap: { partition: 0, from: "1", to: "0" } });
  expect(await back.values(1)).toEqual([3]);
});

it("stays open with comments while the broker is away, and starts when it is back", async () => {
  let isAway = true;
  const { open, store, clock } = await setUp({}, (broker) => ({
    topicId: (topic) =>
      isAway ? Promise.reject(new GatewayError("BROKER_UNAVAILABLE")) : broker.topicId(topic),
  }));
  const stream = open({ from: "earliest" });
  for (let i = 0; i < 40; i++) {
    clock.advance(1000);
    await turn();
  }
  expect([stream.client.state, stream.lines()]).toEqual(["open", []]);
  isAway = false;
  await store(event("1"));
  expect(await stream.values(1)).toEqual([1]);
});

it("finds a new partition within 30 s, and reads it from its first event", async () => {
  let partitions = 1;
  const { open, store, clock } = await setUp({}, (broker) => ({
    watermarks: async (topic) => (await broker.watermarks(topic)).slice(0, partitions),
  }));
  const stream = open();
  await stream.ready();
  await store(event("1", 1));
  partitions = 2;
  for (let i = 0; i < 30; i++) {
    clock.advance(1000);
    await turn();
  }
  expect(await stream.values(1)).toEqual([1]);
});

it("gives all memory back when its last stream has closed", async () => {
  const { open, store, memory, clock } = await setUp();
  const stream = open();
  await stream.ready();
  await store(event("1"));
  await stream.values(1);
  expect(memory.usedBytes).toBeGreaterThan(0);
  stream.stream.closed();
  clock.advance(11_000);
  expect(memory.usedBytes).toBe(0);
});
