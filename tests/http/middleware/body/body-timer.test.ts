import { jest } from "@jest/globals";
import type { ListEntry } from "../../../../src/lib/linked-list.ts";
import { createBodyTimer, type Arriving } from "../../../../src/http/middleware/body/body-timer.ts";

beforeEach(() => {
  jest.useFakeTimers();
});

afterEach(() => {
  jest.useRealTimers();
});

const setUp = () => {
  const timer = createBodyTimer(100);
  const late: string[] = [];
  const begin = (name: string): ListEntry<Arriving> => {
    const body: ListEntry<Arriving> = timer.began({
      deadline: timer.deadline(),
      onTimeout: () => {
        late.push(name);
        timer.ended(body);
      },
    });
    return body;
  };
  return { timer, late, begin };
};

it("ends each body at its own deadline", () => {
  const { late, begin } = setUp();
  begin("first");
  jest.advanceTimersByTime(60);
  begin("second");
  jest.advanceTimersByTime(40);
  expect(late).toEqual(["first"]);
  jest.advanceTimersByTime(59);
  expect(late).toEqual(["first"]);
  jest.advanceTimersByTime(1);
  expect(late).toEqual(["first", "second"]);
});

it("does not end a body that has arrived, and starts again after a pause", () => {
  const { timer, late, begin } = setUp();
  timer.ended(begin("arrived"));
  jest.advanceTimersByTime(1000);
  expect(late).toEqual([]);
  expect(jest.getTimerCount()).toBe(0);
  begin("late");
  jest.advanceTimersByTime(100);
  expect(late).toEqual(["late"]);
});

it("has one timer for all bodies", () => {
  const { begin } = setUp();
  for (let n = 0; n < 10; n++) begin(String(n));
  expect(jest.getTimerCount()).toBe(1);
});
