import type { BrokerRecord } from "../../src/broker/broker.ts";
import { GatewayError } from "../../src/errors.ts";
import type { PeerAnswer, PeerCall } from "../../src/home/peers/peers.ts";
import { decodeCall, encodeAnswer, type SlotAnswer, type SlotCall } from "../../src/once/call-codec.ts";
import { createCallIds, createStationIds } from "../../src/once/event-id.ts";
import type { OnceEvent, OnceOutcome } from "../../src/once/home-calls.ts";
import { createOnce } from "../../src/once/once.ts";
import type { CoreOutcome } from "../../src/once/slot-core/port.ts";
import { createFakeClock } from "../support/fake-clock.ts";

const eventOf = (id: string, slot: number, key: string | null = null): OnceEvent => ({
  id: { digest: Buffer.from(id.padEnd(16)), slot, window: 1000, kind: "event" },
  record: { key: key === null ? null : Buffer.from(key), value: Buffer.from(id), headers: [], timestamp: 1 },
});

const stored = (offset: number, isDuplicate = false): CoreOutcome => ({
  status: "stored",
  partition: 0,
  offset,
  timestamp: 1,
  isDuplicate,
});

interface HomeCall {
  readonly request: number;
  readonly slot: number;
  readonly slots: readonly SlotCall[];
  /** One attempt for several slots. */
  readonly isTogether: boolean;
  readonly waitMs: number;
  readonly answer: (outcomes: readonly CoreOutcome[], isRepeated?: boolean) => void;
  readonly answerSlots: (answers: readonly SlotAnswer[]) => void;
  readonly noAnswer: () => void;
  readonly fail: (error: GatewayError) => void;
}

/** Homes that answer when the test says so. `homeOf` names the process that most likely holds a slot. */
const createHomes = (homeOf: (slot: number) => string | undefined = () => undefined) => {
  const calls: HomeCall[] = [];
  const unchecked: BrokerRecord[] = [];
  const clock = createFakeClock();
  const take = (slot: number, { body, waitMs }: PeerCall, isTogether: boolean) =>
    new Promise<PeerAnswer | undefined>((resolve, reject) => {
      const answerSlots = (answers: readonly SlotAnswer[], isRepeated = false): void => {
        const ended = (): void => undefined;
        resolve({ status: 200, headers: {}, body: encodeAnswer(answers), ended, isRepeated });
      };
      const { request, slots } = decodeCall(body, slot);
      calls.push({
        ...{ request, slots, slot, isTogether, waitMs, answerSlots, fail: reject },
        answer: (outcomes, isRepeated) => {
          answerSlots([outcomes], isRepeated);
        },
        noAnswer: () => {
          resolve(undefined);
        },
      });
    });
  const once = createOnce({
    clock,
    home: {
      id: "own",
      likelyHome: homeOf,
      tryCall: (slot, call) => take(slot, call, true),
      callSlot: async (slot, call) => {
        const answer = await take(slot, call, false);
        if (answer === undefined) throw new TypeError("callSlot has an answer or rejects");
        return answer;
      },
    },
    appendUnchecked: (_topic, records) => {
      unchecked.push(...records);
      return Promise.resolve(
        records.map(() => ({ status: "stored", partition: 0, offset: 9n, timestamp: 1 })),
      );
    },
  });
  const append = (events: readonly OnceEvent[], order?: object, strict = true) =>
    once.append("orders", events, { order, strict, deadlineMs: 1000 });
  return { calls, clock, unchecked, append };
};

const settle = (): Promise<void> => new Promise(setImmediate);
const idsOf = ({ slots }: HomeCall): string =>
  slots.map(({ events }) => events.map(({ record }) => String(record.value)).join()).join("|");
const textOf = (outcome: OnceOutcome): string =>
  outcome.status === "failed"
    ? outcome.error.code
    : outcome.status === "stored"
      ? `${"duplicate" in outcome ? "duplicate" : "stored"} ${outcome.offset}`
      : outcome.status;

describe("Once", () => {
  it("divides a batch among its homes, and returns the outcomes in the order of the events", async () => {
    const { calls, append } = createHomes();
    const told = append([eventOf("a", 1), eventOf("b", 2), eventOf("c", 1)]);
    await settle();
    expect(calls.map((call) => `${call.slot} ${idsOf(call)}`)).toEqual(["1 a,c", "2 b"]);
    expect(calls[0]?.request).toBe(calls[1]?.request);
    calls[1]?.answer([stored(7, true)]);
    calls[0]?.answer([stored(5), { status: "reused" }]);
    expect((await told).map(textOf)).toEqual(["stored 5", "duplicate 7", "reused"]);
  });

  describe("to a process that most likely holds several slots", () => {
    const homeOf = (slot: number): string => (slot < 10 ? "other" : "own");
    const textsOf = (calls: readonly HomeCall[]): readonly string[] =>
      calls.map((call) => `${call.isTogether ? "together" : "alone"} ${idsOf(call)}`);

    it("sends the events of all of them in one call", async () => {
      const { calls, append } = createHomes(homeOf);
      const told = append([eventOf("a", 1), eventOf("b", 12), eventOf("c", 2), eventOf("d", 1)]);
      await settle();
      expect(textsOf(calls)).toEqual(["together a,d|c", "alone b"]);
      expect(calls[0]?.slots.map(({ slot }) => slot)).toEqual([1, 2]);
      calls[1]?.answer([stored(3)]);
      calls[0]?.answerSlots([[stored(1), stored(2)], [stored(4, true)]]);
      expect((await told).map(textOf)).toEqual(["stored 1", "stored 3", "duplicate 4", "stored 2"]);
    });

    it("sends what it does not answer to the slots alone, with the same request number and the time that is left", async () => {
      const { calls, clock, append } = createHomes(homeOf);
      const told = append([eventOf("a", 1), eventOf("b", 2), eventOf("c", 3)]);
      await settle();
      clock.advance(300);
      calls[0]?.answerSlots([[stored(1)], "moved", "moved"]);
      await settle();
      expect(textsOf(calls)).toEqual(["together a|b|c", "alone b", "alone c"]);
      expect(calls.map(({ waitMs }) => waitMs)).toEqual([1000, 700, 700]);
      expect(new Set(calls.map(({ request }) => request)).size).toBe(1);
      // The first process may have stored the events before it lost the slots.
      calls[1]?.answer([{ status: "unavailable" }]);
      calls[2]?.answer([stored(2)]);
      expect((await told).map(textOf)).toEqual(["stored 1", "BROKER_AMBIGUOUS", "stored 2"]);
    });

    it("sends everything to the slots alone if there is no answer", async () => {
      const { calls, append } = createHomes(homeOf);
      void append([eventOf("a", 1), eventOf("b", 2)]);
      await settle();
      calls[0]?.noAnswer();
      await settle();
      expect(textsOf(calls)).toEqual(["together a|b", "alone a", "alone b"]);
    });

    it("sends everything to the slots alone if the process takes only calls for one slot", async () => {
      const { calls, append } = createHomes(homeOf);
      void append([eventOf("a", 1), eventOf("b", 2)]);
      await settle();
      calls[0]?.fail(new GatewayError("REQUEST_UNSUPPORTED"));
      await settle();
      expect(textsOf(calls)).toEqual(["together a|b", "alone a", "alone b"]);
    });

    it("gives every event the error of the process", async () => {
      const { calls, append } = createHomes(homeOf);
      const told = append([eventOf("a", 1), eventOf("b", 2)]);
      await settle();
      calls[0]?.fail(new GatewayError("HOME_UNAVAILABLE"));
      expect((await told).map(textOf)).toEqual(["HOME_UNAVAILABLE", "HOME_UNAVAILABLE"]);
      expect(calls).toHaveLength(1);
    });

    it("sends the events of more than 1 MiB to the slots of another process alone", async () => {
      const { calls, append } = createHomes(homeOf);
      const headers = [{ name: "x", value: Buffer.alloc(600_000) }];
      const large = [1, 2, 11, 12].map((slot) => {
        const event = eventOf(`${slot}`, slot);
        return { ...event, record: { ...event.record, headers } };
      });
      void append(large);
      await settle();
      expect(textsOf(calls)).toEqual(["alone 1", "alone 2", "together 11|12"]);
    });

    it("sends the events of an order to each slot alone", async () => {
      const { calls, append } = createHomes(homeOf);
      void append([eventOf("a", 1), eventOf("b", 2)], {});
      await settle();
      expect(textsOf(calls)).toEqual(["alone a", "alone b"]);
    });
  });

  describe("in parts of 1 MiB", () => {
    const large = (id: string, key: string | null = null): OnceEvent => {
      const event = eventOf(id, 1, key);
      const headers = [{ name: "x", value: Buffer.alloc(600_000) }];
      return { ...event, record: { ...event.record, headers } };
    };

    it("sends a call to its home one part after the other, with the time that is left", async () => {
      const { calls, clock, append } = createHomes();
      const told = append([large("a"), large("b"), large("c")]);
      await settle();
      expect(calls.map(idsOf)).toEqual(["a"]);
      clock.advance(400);
      calls[0]?.answer([stored(1)]);
      await settle();
      expect(calls.map(({ waitMs }) => waitMs)).toEqual([1000, 600]);
      clock.advance(600);
      calls[1]?.answer([stored(2)]);
      expect((await told).map(textOf)).toEqual(["stored 1", "stored 2", "BROKER_UNAVAILABLE"]);
    });

    it("does not append an event of a key behind one without an outcome", async () => {
      const { calls, append } = createHomes();
      const told = append([large("a", "k"), large("b", "k"), large("c", "l")]);
      await settle();
      calls[0]?.answer([{ status: "unresolved" }]);
      await settle();
      expect(calls.map(idsOf)).toEqual(["a", "c"]);
      calls[1]?.answer([stored(1)]);
      expect((await told).map(textOf)).toEqual(["unresolved", "BROKER_UNAVAILABLE", "stored 1"]);
    });

    it("stores nothing of a call with the key of another payload", async () => {
      const { calls, append } = createHomes();
      const told = append([large("a"), large("b")]);
      await settle();
      calls[0]?.answer([{ status: "reused" }]);
      expect((await told).map(textOf)).toEqual(["reused", "reused"]);
      expect(calls).toHaveLength(1);
    });

    it("counts headers that events share once", async () => {
      const { calls, append } = createHomes();
      const { record } = large("a");
      void append(
        ["a", "b", "c"].map((id) => {
          const event = eventOf(id, 1);
          return { ...event, record: { ...event.record, headers: record.headers } };
        }),
      );
      await settle();
      expect(calls.map(idsOf)).toEqual(["a,b,c"]);
    });
  });

  it("says that an event may be stored if an earlier home may have stored it", async () => {
    const { calls, append } = createHomes();
    const first = append([eventOf("a", 1)]);
    const second = append([eventOf("b", 1)]);
    await settle();
    calls[0]?.answer([{ status: "unavailable" }]);
    calls[1]?.answer([{ status: "unavailable" }], true);
    expect([...(await first), ...(await second)].map(textOf)).toEqual([
      "BROKER_UNAVAILABLE",
      "BROKER_AMBIGUOUS",
    ]);
  });

  it("gives every event the error of its home", async () => {
    const { calls, append } = createHomes();
    const told = append([eventOf("a", 1), eventOf("b", 1)]);
    await settle();
    calls[0]?.fail(new GatewayError("HOME_UNAVAILABLE"));
    expect((await told).map(textOf)).toEqual(["HOME_UNAVAILABLE", "HOME_UNAVAILABLE"]);
  });

  it("stores events without the check if the home can't be reached and the station is not strict", async () => {
    const { calls, unchecked, append } = createHomes();
    const told = append([eventOf("a", 1)], undefined, false);
    await settle();
    calls[0]?.fail(new GatewayError("HOME_UNAVAILABLE"));
    expect((await told).map(textOf)).toEqual(["stored 9"]);
    expect(unchecked[0]?.headers).toEqual([{ name: "x-stationgate-once", value: Buffer.from("unchecked") }]);
  });

  it("sends the calls of one order to a home one after the other", async () => {
    const { calls, append } = createHomes();
    const order = {};
    const first = append([eventOf("a", 1)], order);
    const second = append([eventOf("b", 1), eventOf("c", 2)], order);
    await settle();
    expect(calls.map(idsOf)).toEqual(["a", "c"]);
    calls[0]?.answer([stored(1)]);
    await first;
    await settle();
    expect(calls.map(idsOf)).toEqual(["a", "c", "b"]);
    calls[1]?.answer([stored(2)]);
    calls[2]?.answer([stored(3)]);
    expect((await second).map(textOf)).toEqual(["stored 3", "stored 2"]);
  });

  it("does not append queued events of a key behind an event without an outcome", async () => {
    const { calls, append } = createHomes();
    const order = {};
    const first = append([eventOf("a", 1, "k")], order);
    const second = append([eventOf("b", 1, "k"), eventOf("c", 1, "l")], order);
    await settle();
    calls[0]?.answer([{ status: "unresolved" }]);
    await first;
    await settle();
    expect(calls.map(idsOf)).toEqual(["a", "c"]);
    calls[1]?.answer([stored(1)]);
    expect((await second).map(textOf)).toEqual(["BROKER_UNAVAILABLE", "stored 1"]);
    const third = append([eventOf("d", 1, "k")], order);
    await settle();
    calls[2]?.answer([stored(2)]);
    expect((await third).map(textOf)).toEqual(["stored 2"]);
  });
});

describe("ids of events", () => {
  const how = { window: 1000, slots: 12 };
  const key = Buffer.from("k");
  const idIn = (topicId: string) => createStationIds({ ...how, station: "orders", topicId });

  it("all ids of a key have one slot, and an id belongs to its key and its topic", () => {
    const idOf = idIn("1");
    expect(new Set(Array.from({ length: 50 }, (_, id) => idOf(`${id}`, key).slot)).size).toBe(1);
    const ids = [idOf("a", key), idOf("a", Buffer.from("l")), idOf("a", null), idIn("2")("a", key)];
    expect(new Set(ids.map(({ digest }) => digest.toString("hex"))).size).toBe(4);
    expect(idOf("a", key)).toEqual(idIn("1")("a", key));
  });

  it("ids without a key are spread over the slots", () => {
    const slots = Array.from({ length: 500 }, (_, id) => idIn("1")(`${id}`, null).slot);
    expect(new Set(slots).size).toBe(12);
  });

  it("the events of a call have one slot, an id each, and the payload's digest", () => {
    const scope = ["alice", "POST /x", "orders", "key"];
    const idAt = createCallIds({ ...how, scope, payload: Buffer.alloc(32, 1) });
    const ids = [0, 1, 2].map(idAt);
    expect(new Set(ids.map(({ slot }) => slot)).size).toBe(1);
    expect(new Set(ids.map(({ digest }) => digest.toString("hex"))).size).toBe(3);
    expect(ids[0]).toMatchObject({ kind: "call", window: 1000, payload: Buffer.alloc(16, 1) });
    const other = createCallIds({ ...how, scope: ["alice", "POST /x", "orders", "key2"] })(0);
    expect(other.digest).not.toEqual(ids[0]?.digest);
  });
});
