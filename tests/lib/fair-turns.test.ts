import { createFairTurns, type Turn } from "../../src/lib/fair-turns.ts";

type Party = readonly [string, ...string[]];

/** One permit, which is in use. `order` ends its turn and returns the names in the order of their turns. */
const queueOf = (maxWaiting = 100) => {
  const turns = createFairTurns({ permits: 1, maxWaiting });
  const begun: string[] = [];
  const refused: string[] = [];
  const first = turns.take(["first"]);
  const take = (name: string, ...party: Party): Turn => {
    const turn = turns.take(party);
    void turn.granted.then((granted) => {
      (granted ? begun : refused).push(name);
      if (granted) turn.end();
    });
    return turn;
  };
  const order = async (): Promise<string> => {
    first.end();
    await new Promise(setImmediate);
    return begun.join(" ");
  };
  return { take, order, refused };
};

describe("fair turns", () => {
  it("begin at once while there are permits", () => {
    const turns = createFairTurns({ permits: 2, maxWaiting: 0 });
    expect([1, 2, 3].map(() => turns.take(["a"]).isGranted)).toEqual([true, true, false]);
  });

  it("of one party begin in the order of their calls", async () => {
    const { take, order } = queueOf();
    for (const name of ["1", "2", "3"]) take(name, "a");
    expect(await order()).toBe("1 2 3");
  });

  it("alternate between parties at each level of the path", async () => {
    const { take, order } = queueOf();
    for (const name of ["m1", "m2", "m3"]) take(name, "strangers", "mallory");
    take("t1", "strangers", "trudy");
    for (const name of ["a1", "a2"]) take(name, "accounts", "ann", "192.0.2.1");
    take("a3", "accounts", "ann", "192.0.2.2");
    take("b1", "accounts", "bob", "192.0.2.1");
    expect(await order()).toBe("m1 a1 t1 b1 m2 a3 m3 a2");
  });

  it("that were withdrawn are skipped", async () => {
    const { take, order, refused } = queueOf();
    take("1", "a");
    const second = take("2", "a");
    take("3", "b");
    second.withdraw();
    expect(await order()).toBe("1 3");
    expect(refused).toEqual(["2"]);
    second.withdraw();
  });

  it("above the limit of a queue: the newest turn of the largest party is refused", async () => {
    const { take, order, refused } = queueOf(3);
    for (const name of ["m1", "m2", "m3"]) take(name, "strangers", "mallory");
    take("t1", "strangers", "trudy");
    take("m4", "strangers", "mallory");
    take("a1", "accounts", "ann");
    expect(await order()).toBe("m1 a1 t1 m2");
    expect(refused).toEqual(["m3", "m4"]);
  });

  it("above the limit with parties of equal size: the newest turn is refused", async () => {
    const { take, order, refused } = queueOf(2);
    for (const name of ["a", "b", "c"]) take(name, "strangers", name);
    expect(await order()).toBe("a b");
    expect(refused).toEqual(["c"]);
  });
});
