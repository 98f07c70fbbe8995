/** The end of a replay of dead letters. */
import type { Broker, TopicPartitionOffset, Watermarks } from "../../../src/broker/broker.ts";
import type { LetterPlan } from "../../../src/delivery/engine/replay.ts";
import { untilReplayed } from "../../../src/delivery/engine/replay.ts";
import { GatewayError } from "../../../src/errors.ts";
import { createFakeClock } from "../../support/fake-clock.ts";

const plan = {
  group: "connect-crm-dead-letters",
  deadLetterTopic: "dead",
  ends: new Map([
    [0, 10n],
    [1, 5n],
  ]),
} as unknown as LetterPlan;

interface State {
  marks: readonly Watermarks[];
  positions: readonly TopicPartitionOffset[];
  gone: boolean;
  away: boolean;
  idle: boolean;
  over: boolean;
}

const marksOf = (lows: readonly bigint[]): readonly Watermarks[] =>
  lows.map((low, partition) => ({ partition, low, high: 1000n }));

const at = (...offsets: readonly bigint[]): readonly TopicPartitionOffset[] =>
  offsets.map((offset, partition) => ({ topic: "dead", partition, offset }));

const start = (given: Partial<State>) => {
  const state: State = {
    marks: marksOf([0n, 0n]),
    positions: [],
    gone: false,
    away: false,
    idle: false,
    over: false,
    ...given,
  };
  const clock = createFakeClock();
  const broker = {
    watermarks: () => {
      if (state.gone) return Promise.reject(new GatewayError("STATION_UNKNOWN"));
      return state.away
        ? Promise.reject(new GatewayError("BROKER_UNAVAILABLE"))
        : Promise.resolve(state.marks);
    },
    committed: () => Promise.resolve(state.positions),
  } as unknown as Broker;
  let ended = false;
  void untilReplayed({ broker, clock }, plan, {
    isOver: () => state.over,
    isIdle: () => state.idle,
  }).then(() => (ended = true));
  /** Lets the replay check its end `times` times. Returns true if it has ended. */
  const check = async (times: number): Promise<boolean> => {
    for (let done = 0; done < times; done += 1) {
      await new Promise(setImmediate);
      clock.advance(500);
      await new Promise(setImmediate);
    }
    return ended;
  };
  return { state, check };
};

it("ends at the offset that was the topic's end at its start", async () => {
  const { state, check } = start({ positions: at(9n, 5n) });
  expect(await check(100)).toBe(false);
  state.positions = at(10n, 5n);
  expect(await check(1)).toBe(true);
});

it("ends when retention has deleted the letters that are missing", async () => {
  const { state, check } = start({ positions: at(3n) });
  expect(await check(3)).toBe(false);
  state.marks = marksOf([10n, 7n]);
  expect(await check(1)).toBe(true);
});

it("ends when the topic is deleted", async () => {
  const { check } = start({ gone: true });
  expect(await check(1)).toBe(true);
});

it("ends when no letter is in flight and there has been no progress for 30 seconds", async () => {
  const { state, check } = start({ positions: at(8n, 5n), idle: true });
  expect(await check(50)).toBe(false);
  state.positions = at(9n, 5n);
  expect(await check(50)).toBe(false);
  expect(await check(15)).toBe(true);
});

it("continues while a letter waits for its next attempt, and while the broker is unavailable", async () => {
  const { state, check } = start({ positions: at(8n, 5n) });
  expect(await check(500)).toBe(false);
  state.away = true;
  expect(await check(10)).toBe(false);
  state.over = true;
  expect(await check(1)).toBe(true);
});
