import { setImmediate as turn } from "node:timers/promises";
import { Followers } from "../../../src/consume/stream/followers.ts";
import { createFakeClock } from "../../support/fake-clock.ts";

/** Followers whose visits take `visitMs` each. Fake time passes only by visits and by `pass`. */
const setUp = (
  count: number,
  visitMs: number,
  beforeTurn: (followers: Followers) => void = () => undefined,
) => {
  const clock = createFakeClock();
  let spent = 0;
  const followers: Followers = new Followers({
    ...{ clock, fewBytes: 100, time: () => spent },
    beforeTurn: () => {
      beforeTurn(followers);
    },
  });
  const visits = Array.from({ length: count }, () => [] as number[]);
  const leave = visits.map((times) =>
    followers.add({
      advance: () => {
        times.push(clock.now());
        spent += visitMs;
      },
    }),
  );
  const pass = async (ms: number): Promise<void> => {
    for (let i = 0; i < ms; i++) {
      await turn();
      clock.advance(1);
    }
    await turn();
  };
  const total = (): number => visits.reduce((sum, times) => sum + times.length, 0);
  return { clock, followers, visits, leave, pass, total };
};

it("lets few followers advance at once, for each announcement", async () => {
  const { followers, total } = setUp(3, 0.02);
  for (let announcements = 1; announcements <= 5; announcements++) {
    followers.announce();
    await turn();
    expect(total()).toBe(3 * announcements);
  }
});

it("lets each of many followers advance about every 40 ms while there are events, a few in each turn", async () => {
  const { followers, visits, pass, total } = setUp(1000, 0.01, (all) => {
    all.announce();
  });
  followers.announce();
  await pass(400);
  const before = total();
  await pass(400);
  expect((total() - before) / 1000).toBeGreaterThanOrEqual(8);
  expect((total() - before) / 1000).toBeLessThanOrEqual(11);
  const gaps = visits.flatMap((times) => times.slice(-8).map((at, n, all) => (all[n + 1] ?? at) - at));
  expect(Math.max(...gaps)).toBeLessThanOrEqual(50);
  const atOnce = new Map<number, number>();
  for (const at of visits.flatMap((times) => times.slice(-8))) atOnce.set(at, (atOnce.get(at) ?? 0) + 1);
  expect(Math.max(...atOnce.values())).toBeLessThan(400);
});

it("takes less time for a round of fewer followers", async () => {
  const { followers, pass, total } = setUp(100, 0.01);
  const passWithEvents = async (ms: number): Promise<void> => {
    for (let i = 0; i < ms; i++) {
      followers.announce();
      await pass(1);
    }
  };
  await passWithEvents(100);
  const before = total();
  await passWithEvents(100);
  expect((total() - before) / 100).toBeGreaterThan(15);
  expect((total() - before) / 100).toBeLessThan(50);
});

it("writes for at most 5 ms in a turn of the event loop", async () => {
  const { followers, total } = setUp(20, 1);
  followers.announce();
  await turn();
  expect(total()).toBe(5);
  await turn();
  expect(total()).toBe(10);
});

it("lets every follower advance after the last announcement, and then rests", async () => {
  const { followers, visits, pass, total } = setUp(500, 0.05);
  followers.announce();
  await pass(5);
  const seen = visits.map(({ length }) => length);
  followers.announce();
  await pass(200);
  expect(visits.every(({ length }, n) => length > (seen[n] ?? 0))).toBe(true);
  const before = total();
  await pass(100);
  expect(total()).toBe(before);
});

it("is caught up when few bytes are not written", async () => {
  const { followers, pass, total } = setUp(100, 0.5);
  followers.announce(100);
  await followers.caughtUp();
  expect(total()).toBeLessThan(100);
  followers.announce(1);
  let isCaughtUp = false;
  void followers.caughtUp().then(() => (isCaughtUp = true));
  await turn();
  expect(isCaughtUp).toBe(false);
  await pass(200);
  expect(isCaughtUp).toBe(true);
});

it("is caught up when all followers have left", async () => {
  const { followers, leave, pass } = setUp(100, 0.5);
  followers.announce(1000);
  for (const one of leave) one();
  const caughtUp = followers.caughtUp();
  await pass(1);
  await caughtUp;
});

it("goes on after the clock was set back", async () => {
  const { clock, followers, total, pass } = setUp(3, 0.02);
  followers.announce();
  await turn();
  const now = clock.now();
  clock.now = () => now - 3_600_000;
  followers.announce();
  await pass(10);
  expect(total()).toBe(6);
});
