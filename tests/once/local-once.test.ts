import { createHash } from "node:crypto";
import type { AppendOutcome, BrokerRecord } from "../../src/broker/broker.ts";
import { GatewayError } from "../../src/errors.ts";
import { createLocalOnce } from "../../src/once/local-once.ts";
import type { OnceEvent, OnceOutcome } from "../../src/once/home-calls.ts";

const WINDOW = 1000;
const HOW = { strict: true, deadlineMs: 1000 };

const digest = (text: string): Buffer => createHash("sha256").update(text).digest().subarray(0, 16);

const eventOf = (id: string, payload?: string): OnceEvent => ({
  record: { key: null, value: Buffer.from(id), headers: [], timestamp: 1 },
  id: {
    digest: digest(id),
    slot: 0,
    window: WINDOW,
    kind: "call",
    payload: payload === undefined ? undefined : digest(payload),
  },
});

const textOf = (outcome: OnceOutcome): string => {
  if (outcome.status === "failed") return outcome.error.code;
  if (outcome.status !== "stored") return outcome.status;
  return `${"duplicate" in outcome ? "duplicate" : "stored"} ${outcome.offset}`;
};

/** A process that remembers ids, and the records that it has appended. */
const setUp = (maxIds = 100) => {
  let time = 0;
  const appended: string[] = [];
  let answer = (records: readonly BrokerRecord[]): Promise<readonly AppendOutcome[]> =>
    Promise.resolve(
      records.map((record): AppendOutcome => {
        appended.push(String(record.value));
        return { status: "stored", partition: 0, offset: BigInt(appended.length - 1), timestamp: 1 };
      }),
    );
  const once = createLocalOnce({ append: (_, records) => answer(records), maxIds, now: () => time });
  return {
    appended,
    pass: (ms: number): void => {
      time += ms;
    },
    answerWith: (next: typeof answer): void => {
      answer = next;
    },
    append: async (...events: readonly OnceEvent[]): Promise<readonly string[]> =>
      (await once.append("orders", events, HOW)).map(textOf),
  };
};

describe("ids that one process remembers", () => {
  it("stores an id once inside its window, and again after it", async () => {
    const { append, appended, pass } = setUp();
    expect(await append(eventOf("a"), eventOf("b"))).toEqual(["stored 0", "stored 1"]);
    expect(await append(eventOf("b"), eventOf("c"))).toEqual(["duplicate 1", "stored 2"]);
    pass(WINDOW);
    expect(await append(eventOf("a"))).toEqual(["stored 3"]);
    expect(appended).toEqual(["a", "b", "c", "a"]);
  });

  it("lets a repeat wait for the first call", async () => {
    const { append, answerWith, appended } = setUp();
    let store = (): void => undefined;
    answerWith(
      (records) =>
        new Promise((resolve) => {
          store = () => {
            appended.push(...records.map(({ value }) => String(value)));
            resolve([{ status: "stored", partition: 0, offset: 7n, timestamp: 1 }]);
          };
        }),
    );
    const first = append(eventOf("a"));
    const second = append(eventOf("a"));
    store();
    expect([await first, await second]).toEqual([["stored 7"], ["duplicate 7"]]);
    expect(appended).toEqual(["a"]);
  });

  it("stores an event again whose append failed", async () => {
    const { append, answerWith } = setUp();
    const error = new GatewayError("BROKER_UNAVAILABLE");
    answerWith(() => Promise.resolve([{ status: "failed", error }]));
    expect(await append(eventOf("a"))).toEqual(["BROKER_UNAVAILABLE"]);
    answerWith(() => Promise.resolve([{ status: "stored", partition: 0, offset: 3n, timestamp: 1 }]));
    expect(await append(eventOf("a"))).toEqual(["stored 3"]);
  });

  it("refuses a whole call if one of its ids has another payload", async () => {
    const { append, appended } = setUp();
    await append(eventOf("a", "one"));
    expect(await append(eventOf("a", "two"), eventOf("b", "two"))).toEqual(["reused", "reused"]);
    expect(await append(eventOf("a", "one"))).toEqual(["duplicate 0"]);
    expect(appended).toEqual(["a"]);
  });

  it("forgets the oldest ids above the maximum", async () => {
    const { append } = setUp(2);
    for (const id of ["a", "b", "c"]) await append(eventOf(id));
    expect(await append(eventOf("c"))).toEqual(["duplicate 2"]);
    expect(await append(eventOf("a"))).toEqual(["stored 3"]);
  });
});
