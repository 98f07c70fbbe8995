import fc from "fast-check";
import type { ConsumedRecord } from "../../../src/broker/broker.ts";
import {
  type Failure,
  FIRST_ATTEMPT,
  STRATEGIES,
  type Strategy,
  type StrategyName,
} from "../../../src/delivery/engine/strategy.ts";

/** No strategy of these tests looks at the record. */
const RECORD: ConsumedRecord = {
  ...{ topic: "t", partition: 0, offset: 0n, timestamp: 0, key: null, value: null, headers: [] },
};

const seconds = (...steps: number[]): number[] => steps.map((step) => step * 1000);
const defaults = { retry: seconds(5, 30, 60, 300, 600), down: seconds(5, 10, 15) };

/** Fails each attempt with `failureOf`. Returns the time in seconds of each attempt, then the final action. */
const play = (strategy: Strategy, failureOf: (attempt: number) => Failure): readonly (number | string)[] => {
  const times: (number | string)[] = [];
  let state = FIRST_ATTEMPT;
  for (let attempt = 0, now = 0; ; attempt += 1) {
    times.push(now);
    const verdict = strategy.after(state, failureOf(attempt), RECORD);
    if (verdict.action !== "wait") return [...times, verdict.action];
    now += verdict.ms / 1000;
    state = verdict.state;
  }
};

const retry = (): Failure => "retry";
const down = (): Failure => "down";
const alternating = (attempt: number): Failure => (attempt % 2 === 0 ? "retry" : "down");

describe("exception strategies on the default schedules", () => {
  it.each<[StrategyName, (number | string)[]]>([
    ["PROGRESS_BACK_OFF_DROP_MESSAGE", [0, 5, 35, 95, 395, 995, "drop"]],
    ["PROGRESS_BACK_OFF_STOP_TASK", [0, 5, 35, 95, 395, 995, "stop"]],
    ["DROP_MESSAGE", [0, "drop"]],
    ["STOP_TASK", [0, "stop"]],
  ])("%s after answers that request a retry", (name, times) => {
    expect(play(STRATEGIES[name](defaults), retry)).toStrictEqual(times);
  });

  it.each(Object.keys(STRATEGIES) as StrategyName[])("%s stops when the endpoint stays down", (name) => {
    expect(play(STRATEGIES[name](defaults), down)).toStrictEqual([0, 5, 15, 30, "stop"]);
  });

  it.each<[StrategyName, (number | string)[]]>([
    // retry 5, down 5, retry 30, down 10, retry 60, down 15, retry 300; no wait is left for the fourth "down"
    ["PROGRESS_BACK_OFF_DROP_MESSAGE", [0, 5, 10, 40, 50, 110, 125, 425, "stop"]],
    ["PROGRESS_BACK_OFF_STOP_TASK", [0, 5, 10, 40, 50, 110, 125, 425, "stop"]],
    ["DROP_MESSAGE", [0, "drop"]],
    ["STOP_TASK", [0, "stop"]],
  ])("%s counts the two schedules separately", (name, times) => {
    expect(play(STRATEGIES[name](defaults), alternating)).toStrictEqual(times);
  });

  it("drops when the retries run out although the endpoint was down in between", () => {
    const strategy = STRATEGIES.PROGRESS_BACK_OFF_DROP_MESSAGE({ retry: seconds(2), down: seconds(1, 7) });
    const failures: Failure[] = ["down", "retry", "down", "retry"];

    expect(play(strategy, (attempt) => failures[attempt] ?? "retry")).toStrictEqual([0, 1, 3, 10, "drop"]);
  });
});

describe("any order of failures", () => {
  it("ends after at most one attempt per wait plus one", () => {
    const waits = fc.array(fc.integer({ min: 0, max: 1000 }), { maxLength: 6 });
    const names = fc.constantFrom(...(Object.keys(STRATEGIES) as StrategyName[]));
    const failures = fc.array(fc.constantFrom<Failure>("retry", "down"), { minLength: 13, maxLength: 13 });
    fc.assert(
      fc.property(names, waits, waits, failures, (name, retries, downs, failure) => {
        const times = play(
          STRATEGIES[name]({ retry: retries, down: downs }),
          (attempt) => failure[attempt] ?? "retry",
        );

        expect(times.length - 1).toBeLessThanOrEqual(retries.length + downs.length + 1);
      }),
    );
  });
});
