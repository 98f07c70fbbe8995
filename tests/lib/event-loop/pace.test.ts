import { createPace, paced } from "../../../src/lib/event-loop.ts";

describe("paced", () => {
  it("runs all steps in order, with pauses for other work", async () => {
    const steps: number[] = [];
    let others = 0;
    setImmediate(() => others++);
    const until = performance.now() + 100;
    await paced(64, (i) => {
      steps.push(i);
      while (i === 15 && performance.now() < until);
    });
    expect(steps).toEqual(Array.from({ length: 64 }, (_, i) => i));
    expect(others).toBe(1);
  });

  it("is due after its time and not before", async () => {
    expect(createPace(60_000).isDue()).toBe(false);
    const pace = createPace(0);
    expect(pace.isDue()).toBe(true);
    await pace.rest();
  });
});
