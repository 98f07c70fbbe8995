import { createSingleFlight, shared } from "../../src/lib/single-flight.ts";

it("runs the work of a key once while it is under way, and again afterwards", async () => {
  const once = createSingleFlight<number>();
  let runs = 0;
  const work = () => Promise.resolve(++runs);
  expect(await Promise.all([once("a", work), once("a", work), once("b", work)])).toEqual([1, 1, 2]);
  expect(await once("a", work)).toBe(3);
});

it("gives a rejection to all callers, and forgets it", async () => {
  const answers = [Promise.reject(new Error("away")), Promise.resolve("here")];
  const ask = shared(() => answers.shift() ?? Promise.resolve("late"));
  const both = await Promise.allSettled([ask("a"), ask("a")]);
  expect(both.map(({ status }) => status)).toEqual(["rejected", "rejected"]);
  expect(await ask("a")).toBe("here");
});

it("shares a request among calls at the same time", async () => {
  const asked: string[] = [];
  const ask = shared((key) => {
    asked.push(key);
    return Promise.resolve(key);
  });
  expect(await Promise.all([ask("a"), ask("a"), ask("b")])).toEqual(["a", "a", "b"]);
  await ask("a");
  expect(asked).toEqual(["a", "b", "a"]);
});
