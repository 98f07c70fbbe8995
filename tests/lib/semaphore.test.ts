import { createSemaphore } from "../../src/lib/semaphore.ts";

/** A task that runs until its function in `exits` is called. `most` is the maximum number of running tasks. */
const createTask = () => {
  const exits: (() => void)[] = [];
  let running = 0;
  let most = 0;
  const task = async (): Promise<void> => {
    running += 1;
    most = Math.max(most, running);
    await new Promise<void>((resolve) => exits.push(resolve));
    running -= 1;
  };
  return { task, exits, most: () => most, running: () => running };
};

describe("semaphore", () => {
  it("runs as many tasks as it has permits, and the other tasks in order", async () => {
    const { task, exits, most } = createTask();
    const semaphore = createSemaphore({ permits: 2, maxWaiting: 10 });
    const runs = [1, 2, 3, 4, 5].map(
      () => semaphore.tryRun(task) ?? Promise.reject(new RangeError("turned away")),
    );
    for (let left = 0; left < 5; left += 1) {
      while (exits.length === 0) await Promise.resolve();
      exits.shift()?.();
    }
    await Promise.all(runs);
    expect(most()).toBe(2);
  });

  it("refuses a task if too many tasks wait", async () => {
    const { task, exits } = createTask();
    const semaphore = createSemaphore({ permits: 1, maxWaiting: 1 });
    const runs = [semaphore.tryRun(task), semaphore.tryRun(task)];
    expect(semaphore.tryRun(task)).toBeUndefined();
    for (const run of runs) {
      while (exits.length === 0) await Promise.resolve();
      exits.shift()?.();
      await run;
    }
    expect(semaphore.tryRun(() => Promise.resolve(7))).toBeInstanceOf(Promise);
  });

  it("frees the permit of a failed task", async () => {
    const semaphore = createSemaphore({ permits: 1, maxWaiting: 0 });
    await expect(semaphore.tryRun(() => Promise.reject(new RangeError("no")))).rejects.toThrow("no");
    await expect(semaphore.tryRun(() => Promise.resolve("in"))).resolves.toBe("in");
  });
});
