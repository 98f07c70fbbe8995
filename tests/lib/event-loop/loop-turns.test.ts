import { createLoopTurns } from "../../../src/lib/event-loop.ts";

/** Turns that begin when the test says so. */
const byHand = () => {
  const turns: (() => void)[] = [];
  return { nextTurn: (begin: () => void) => turns.push(begin), turn: () => turns.shift()?.(), turns };
};

it("begins a limited number of steps per turn, and the other steps in later turns in order", () => {
  const { nextTurn, turn } = byHand();
  const loop = createLoopTurns(2, nextTurn);
  expect([loop.tryBegin(), loop.tryBegin(), loop.tryBegin()]).toEqual([true, true, false]);
  const steps: string[] = [];
  for (const name of ["a", "b", "c"]) loop.later(() => steps.push(name));
  expect(steps).toEqual([]);
  turn();
  expect(steps).toEqual(["a", "b"]);
  turn();
  expect(steps).toEqual(["a", "b", "c"]);
});

it("begins waiting steps before a new step", () => {
  const { nextTurn, turn } = byHand();
  const loop = createLoopTurns(2, nextTurn);
  loop.later(() => undefined);
  expect(loop.tryBegin()).toBe(false);
  turn();
  expect(loop.tryBegin()).toBe(true);
  expect(loop.tryBegin()).toBe(false);
});

it("schedules no turn if no step has begun", () => {
  const { nextTurn, turn, turns } = byHand();
  const loop = createLoopTurns(2, nextTurn);
  expect(turns).toHaveLength(0);
  loop.tryBegin();
  turn();
  turn();
  expect(turns).toHaveLength(0);
});
