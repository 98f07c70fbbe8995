import { watchWorkers } from "../../src/spool/liveness.ts";
import { createFakeClock } from "../support/fake-clock.ts";

/** Workers 1 and 2 of which those in `frozen` do not answer. */
const watched = () => {
  const clock = createFakeClock();
  const killed: number[] = [];
  const asked: number[] = [];
  const frozen = new Set<number>();
  const watch = watchWorkers({
    clock,
    workers: () => [1, 2],
    ask: (worker) => {
      asked.push(worker);
      if (!frozen.has(worker)) watch.onAnswer(worker);
    },
    kill: (worker) => killed.push(worker),
  });
  return { clock, killed, asked, frozen, watch };
};

it("kills a worker that does not answer for 5 s, and asks it once", () => {
  const { clock, killed, asked, frozen, watch } = watched();
  frozen.add(2);
  watch.start();
  clock.advance(4999);
  expect(killed).toEqual([]);
  clock.advance(1);
  expect(killed).toEqual([2]);
  expect(asked.filter((worker) => worker === 2)).toHaveLength(1);
});

it("kills no worker while none answers, because then the machine is slow", () => {
  const { clock, killed, frozen, watch } = watched();
  frozen.add(1).add(2);
  watch.start();
  clock.advance(60_000);
  expect(killed).toEqual([]);
  watch.onAnswer(1);
  clock.advance(1000);
  expect(killed).toEqual([2]);
});

it("asks nobody while all topics are direct", () => {
  const { clock, asked, frozen, watch } = watched();
  frozen.add(2);
  watch.start();
  watch.stop();
  clock.advance(60_000);
  expect(asked).toEqual([1, 2]);
  watch.start();
  clock.advance(4999);
  watch.onEnd(2);
  expect(asked.filter((worker) => worker === 2)).toHaveLength(2);
});
