import type { AppendOutcome, BrokerRecord } from "../../src/broker/broker.ts";
import { GatewayError } from "../../src/errors.ts";
import type { BatcherCall, WatchedCall } from "../../src/ingest/batcher/batcher.ts";
import { IN_FLIGHT } from "../../src/ingest/batcher/pending.ts";
import { carrying, type IdSource } from "../../src/ingest/event-ids.ts";
import { createOnceBatcher } from "../../src/ingest/once-batcher.ts";
import { eventOf, ofCall, ofStation, recordOf, settle, valuesOf } from "./once-support.ts";

const storedAt = (offset: bigint): AppendOutcome => ({
  status: "stored",
  partition: 0,
  offset,
  timestamp: 1,
});
const failed = (code: "BROKER_UNAVAILABLE" | "IDEMPOTENCY_KEY_REUSED" | "TOPIC_REFUSED"): AppendOutcome => ({
  status: "failed",
  error: new GatewayError(code),
});
const withId = (source: IdSource, key: string | null = null): BrokerRecord => carrying(eventOf(source, key));

interface Append {
  readonly values: string;
  readonly order: unknown;
  readonly answer: (outcome: AppendOutcome) => void;
}

/** The homes and the batcher answer when the test says so. */
const setUp = () => {
  const homes: Append[] = [];
  const batches: Append[] = [];
  const watched: BatcherCall[] = [];
  const said: string[] = [];
  const into = (appends: Append[], records: readonly BrokerRecord[], order: unknown) =>
    new Promise<readonly AppendOutcome[]>((resolve) => {
      const answer = (outcome: AppendOutcome): void => {
        resolve(records.map(() => outcome));
      };
      appends.push({ values: valuesOf(records).join(" "), order, answer });
    });
  const batcher = createOnceBatcher(
    {
      appendInOrder: (_topic, records) => into(batches, records, undefined),
      watch: (_topic, _records, call) => watched.push(call),
      withdraw: (topic) => said.push(`withdraw ${topic}`),
    },
    {
      append: (_topic, events, order) =>
        into(
          homes,
          events.map(({ record }) => record),
          order,
        ),
    },
  );
  const call = (name: string): WatchedCall => ({
    ended: (outcomes) => said.push(`${name} ended ${textOf(outcomes)}`),
    late: (from, outcomes) => said.push(`${name} late from ${from}: ${textOf(outcomes)}`),
  });
  return { batcher, homes, batches, watched, said, call };
};

const textOf = (outcomes: readonly AppendOutcome[]): string =>
  outcomes
    .map((outcome) => {
      if (outcome === IN_FLIGHT) return "in flight";
      return outcome.status === "stored" ? `stored ${outcome.offset}` : outcome.error.code;
    })
    .join(", ");

describe("a watched call", () => {
  it("without ids is the batcher's", () => {
    const { batcher, homes, watched, call } = setUp();
    const own = call("a");
    batcher.watch("t", [recordOf("1")], own);
    expect(watched).toEqual([own]);
    expect(homes).toEqual([]);
  });

  it("with ids goes to the homes in its order, and ends with their outcomes", async () => {
    const { batcher, homes, watched, said, call } = setUp();
    const order = {};
    batcher.watch("t", [eventOf(ofStation("1")), eventOf(ofStation("2"))], { ...call("a"), order });
    expect(homes).toMatchObject([{ values: "1 2" }]);
    expect(homes[0]?.order).toBe(order);
    expect(watched).toEqual([]);
    homes[0]?.answer(storedAt(3n));
    await settle();
    expect(said).toEqual(["a ended stored 3, stored 3"]);
  });

  it("is in flight when it is withdrawn, and its outcomes are late", async () => {
    const { batcher, homes, said, call } = setUp();
    batcher.watch("t", [eventOf(ofStation("1")), eventOf(ofStation("2"))], call("a"));
    batcher.watch("t", [eventOf(ofStation("3"))], call("b"));
    batcher.withdraw("t");
    const withdrawn = ["withdraw t", "a ended in flight, in flight", "b ended in flight"];
    expect(said).toEqual(withdrawn);
    homes[1]?.answer(failed("BROKER_UNAVAILABLE"));
    await settle();
    homes[0]?.answer(storedAt(3n));
    await settle();
    expect(said).toEqual([
      ...withdrawn,
      "b late from 0: BROKER_UNAVAILABLE",
      "a late from 0: stored 3, stored 3",
    ]);
  });

  it("is withdrawn once, and not with the calls of another topic", async () => {
    const { batcher, homes, said, call } = setUp();
    batcher.watch("t", [eventOf(ofStation("1"))], call("a"));
    batcher.watch("other", [eventOf(ofStation("2"))], call("b"));
    batcher.withdraw("t");
    batcher.watch("t", [eventOf(ofStation("3"))], call("c"));
    for (const home of homes) home.answer(storedAt(1n));
    await settle();
    batcher.withdraw("t");
    expect(said).toEqual([
      "withdraw t",
      "a ended in flight",
      "a late from 0: stored 1",
      "b ended stored 1",
      "c ended stored 1",
      "withdraw t",
    ]);
  });
});

it("makes a record for the disk that draining sends to the home of its id", async () => {
  const { batcher, homes } = setUp();
  expect(batcher.toRecord(recordOf("1"))).toEqual(recordOf("1"));
  const record = batcher.toRecord(eventOf(ofStation("2")));
  const outcomes = batcher.append("t", [record]);
  homes[0]?.answer(storedAt(2n));
  expect(textOf(await outcomes)).toBe("stored 2");
});

describe("draining", () => {
  it("divides the records between the batcher and the homes, and returns the outcomes in their order", async () => {
    const { batcher, homes, batches } = setUp();
    const outcomes = batcher.append("t", [
      recordOf("1"),
      withId(ofStation("2")),
      recordOf("3"),
      withId(ofStation("4")),
    ]);
    const stores = [batches, homes, batches, homes];
    for (const [i, appends] of stores.entries()) {
      await settle();
      appends.at(-1)?.answer(storedAt(BigInt(i)));
    }
    expect(textOf(await outcomes)).toBe("stored 0, stored 1, stored 2, stored 3");
    expect([batches, homes]).toMatchObject([
      [{ values: "1" }, { values: "3" }],
      [{ values: "2" }, { values: "4" }],
    ]);
  });

  it("appends the events of a key one call after the other, because each call has its own home", async () => {
    const { batcher, homes } = setUp();
    const outcomes = batcher.append("t", [
      withId(ofCall("k"), "a"),
      withId(ofCall("l"), "b"),
      withId(ofCall("m"), "a"),
      withId(ofCall("n"), "c"),
    ]);
    await settle();
    expect(homes.map(({ values }) => values)).toEqual(["k.0 l.0 n.0"]);
    homes[0]?.answer(storedAt(1n));
    await settle();
    expect(homes.map(({ values }) => values)).toEqual(["k.0 l.0 n.0", "m.0"]);
    homes[1]?.answer(storedAt(2n));
    expect(textOf(await outcomes)).toBe("stored 1, stored 1, stored 2, stored 1");
  });

  it.each<[string, BrokerRecord, BrokerRecord]>([
    ["an event without an id after one with an id", withId(ofStation("1"), "a"), recordOf("2", "a")],
    ["an event with an id after one without an id", recordOf("1", "a"), withId(ofStation("2"), "a")],
    [
      "an event of another station of the topic",
      withId(ofStation("1"), "a"),
      withId(ofStation("2", { station: "other" }), "a"),
    ],
  ])("waits for the events before: %s", async (_, first, second) => {
    const { batcher, homes, batches } = setUp();
    const outcomes = batcher.append("t", [first, second]);
    const appends = (): readonly Append[] => [...homes, ...batches];
    await settle();
    expect(appends()).toHaveLength(1);
    for (const { answer } of appends()) answer(storedAt(1n));
    await settle();
    expect(appends()).toHaveLength(2);
    for (const { answer } of appends()) answer(storedAt(2n));
    expect(textOf(await outcomes)).toBe("stored 1, stored 2");
  });

  it("gives a call with a payload an append of its own, so a reused key refuses no other call", async () => {
    const { batcher, homes } = setUp();
    const payload = "AAAA";
    const outcomes = batcher.append("t", [
      withId(ofCall("k", { payload })),
      withId(ofCall("k", { payload, place: 1 })),
      withId(ofCall("l", { payload })),
      withId(ofCall("webhook")),
    ]);
    await settle();
    expect(homes.map(({ values }) => values)).toEqual(["k.0 k.1", "l.0", "webhook.0"]);
    homes.forEach(({ answer }, i) => {
      answer(i === 0 ? failed("IDEMPOTENCY_KEY_REUSED") : storedAt(1n));
    });
    expect(textOf(await outcomes)).toBe("IDEMPOTENCY_KEY_REUSED, IDEMPOTENCY_KEY_REUSED, stored 1, stored 1");
  });

  it("does not store a strict event without the check because another one is not strict", async () => {
    const { batcher, homes } = setUp();
    void batcher.append("t", [withId(ofCall("k", { strict: false })), withId(ofCall("l"))]);
    await settle();
    expect(homes.map(({ values }) => values)).toEqual(["k.0", "l.0"]);
  });

  it("sends at most 64 calls with a payload at the same time", async () => {
    const { batcher, homes } = setUp();
    const records = Array.from({ length: 70 }, (_, i) => withId(ofCall(`k${i}`, { payload: "AAAA" })));
    const outcomes = batcher.append("t", records);
    await settle();
    expect(homes).toHaveLength(64);
    for (const { answer } of homes) answer(storedAt(1n));
    await settle();
    expect(homes).toHaveLength(70);
    for (const { answer } of homes) answer(storedAt(1n));
    expect(await outcomes).toHaveLength(70);
  });

  it.each(["BROKER_UNAVAILABLE", "TOPIC_REFUSED"] as const)("stops behind an event with %s", async (code) => {
    const { batcher, homes, batches } = setUp();
    const outcomes = batcher.append("t", [withId(ofCall("k"), "a"), withId(ofCall("l"), "a"), recordOf("1")]);
    homes[0]?.answer(failed(code));
    expect(textOf(await outcomes)).toBe(`${code}, BROKER_UNAVAILABLE, BROKER_UNAVAILABLE`);
    expect([homes.length, batches.length]).toEqual([1, 0]);
  });

  it("goes on behind an event that was refused for good", async () => {
    const { batcher, homes, batches } = setUp();
    const outcomes = batcher.append("t", [withId(ofCall("k"), "a"), recordOf("1", "a")]);
    homes[0]?.answer(failed("IDEMPOTENCY_KEY_REUSED"));
    await settle();
    batches[0]?.answer(storedAt(1n));
    expect(textOf(await outcomes)).toBe("IDEMPOTENCY_KEY_REUSED, stored 1");
  });

  it("appends nothing for no records", async () => {
    expect(await setUp().batcher.append("t", [])).toEqual([]);
  });
});
