import { GatewayError } from "../../src/errors.ts";
import { createOnceStore } from "../../src/ingest/once-store.ts";
import type { OnceEvent, OnceOutcome } from "../../src/once/home-calls.ts";
import type { AppendOnceOptions } from "../../src/once/once.ts";
import { createTopicViews, type TopicViews } from "../../src/once/topic-views.ts";
import { createFakeClock } from "../support/fake-clock.ts";
import { eventOf, ofCall, ofStation, settle, valuesOf } from "./once-support.ts";

const storedAt = (offset: bigint): OnceOutcome => ({ status: "stored", partition: 0, offset, timestamp: 1 });

interface Sent extends AppendOnceOptions {
  readonly topic: string;
  readonly values: readonly string[];
  readonly digests: readonly string[];
}

/** Records what reaches the homes. */
const setUp = (
  views: Partial<TopicViews> = {},
  outcomeOf: (event: OnceEvent, call: number) => OnceOutcome = () => storedAt(0n),
) => {
  const sent: Sent[] = [];
  const store = createOnceStore({
    once: {
      append: (topic, events, how) => {
        const values = valuesOf(events.map(({ record }) => record));
        sent.push({ ...how, topic, values, digests: events.map(({ id }) => id.digest.toString("hex")) });
        return Promise.resolve(events.map((event) => outcomeOf(event, sent.length)));
      },
    },
    views: {
      view: (name) => Promise.resolve({ name, id: "t1", leaders: [1] }),
      forget: () => undefined,
      ...views,
    },
    slots: 12,
    deadlineMs: 5000,
  });
  return { store, sent };
};

it("sends the events of a call with its order, its strictness and the time of a call", async () => {
  const { store, sent } = setUp();
  const order = {};
  const events = [eventOf(ofStation("1", { strict: false })), eventOf(ofStation("2", { strict: false }))];
  expect(await store.append("t", events, order)).toEqual([storedAt(0n), storedAt(0n)]);
  expect(sent).toMatchObject([{ topic: "t", values: ["1", "2"], order, strict: false, deadlineMs: 5000 }]);
  expect(sent[0]?.order).toBe(order);
});

it("sends nothing for no events", async () => {
  const { store, sent } = setUp();
  expect(await store.append("t", [], undefined)).toEqual([]);
  expect(sent).toEqual([]);
});

it("needs no id of the topic for a call", async () => {
  const { store, sent } = setUp({ view: () => Promise.reject(new GatewayError("BROKER_UNAVAILABLE")) });
  expect(await store.append("t", [eventOf(ofCall("k"))], undefined)).toEqual([storedAt(0n)]);
  expect(sent).toHaveLength(1);
});

it.each(["STATION_UNKNOWN", "BROKER_UNAVAILABLE"] as const)(
  "fails the events of a station, and sends none, if reading the topic's id fails with %s",
  async (code) => {
    const { store, sent } = setUp({ view: () => Promise.reject(new GatewayError(code)) });
    expect(
      await store.append("t", [eventOf(ofStation("1")), eventOf(ofStation("2"))], undefined),
    ).toMatchObject([
      { status: "failed", error: { code } },
      { status: "failed", error: { code } },
    ]);
    expect(sent).toEqual([]);
  },
);

it("makes outcomes of events of what the homes answer", async () => {
  const answers: readonly OnceOutcome[] = [
    { ...storedAt(3n), duplicate: true } as OnceOutcome,
    { status: "reused" },
    { status: "unresolved" },
    { status: "leaderless" },
    { status: "failed", error: new GatewayError("TOPIC_REFUSED") },
  ];
  let next = 0;
  const { store } = setUp({}, () => answers[next++] ?? storedAt(0n));
  const events = answers.map((_, place) => eventOf(ofCall("k", { place })));
  expect(await store.append("t", events, undefined)).toMatchObject([
    { status: "stored", offset: 3n, duplicate: true },
    { status: "failed", error: { code: "IDEMPOTENCY_KEY_REUSED" } },
    { status: "failed", error: { code: "ID_UNRESOLVED" } },
    { status: "failed", error: { code: "BROKER_AMBIGUOUS" } },
    { status: "failed", error: { code: "TOPIC_REFUSED" } },
  ]);
});

describe("with views of the topics", () => {
  /** A broker whose answers for the topic's id wait for the test. */
  const setUpViews = () => {
    const clock = createFakeClock();
    const reads: ((id: string | undefined) => void)[] = [];
    const views = createTopicViews(
      {
        topicId: () => new Promise((resolve) => reads.push(resolve)),
        partitions: () => Promise.resolve([{ partition: 0, leader: 1 } as never]),
      },
      clock,
    );
    return { clock, reads, views };
  };

  it("keeps the order of calls while the topic's id is read, however long that takes", async () => {
    const { clock, reads, views } = setUpViews();
    const { store, sent } = setUp(views);
    const order = {};
    const first = store.append("t", [eventOf(ofStation("1"))], order);
    clock.advance(5000);
    const second = store.append("t", [eventOf(ofStation("2"))], order);
    // If each call has read the topic for itself, the second answer comes first.
    for (const answer of reads.reverse()) {
      answer("t1");
      await settle();
    }
    await Promise.all([first, second]);
    expect(sent.map(({ values }) => values)).toEqual([["1"], ["2"]]);
  });

  it("reads the id of a topic again that is gone, also within a second", async () => {
    const { reads, views } = setUpViews();
    const gone: OnceOutcome = { status: "failed", error: new GatewayError("STATION_UNKNOWN") };
    const { store, sent } = setUp(views, (_, call) => (call === 1 ? gone : storedAt(0n)));
    const event = eventOf(ofStation("1"));
    const first = store.append("t", [event], undefined);
    reads[0]?.("t1");
    expect(await first).toMatchObject([{ status: "failed" }]);
    const again = store.append("t", [event], undefined);
    reads[1]?.("t2");
    expect(await again).toMatchObject([{ status: "stored" }]);
    expect(sent[1]?.digests).not.toEqual(sent[0]?.digests);
  });
});
