/** Limits the number of running tasks and of waiting tasks. */

export interface Semaphore {
  /** Runs the task when a permit is free, and settles as the task does. undefined: too many tasks wait. */
  tryRun<T>(task: () => Promise<T>): Promise<T> | undefined;
}

interface SemaphoreOptions {
  readonly permits: number;
  readonly maxWaiting: number;
}

export const createSemaphore = ({ permits, maxWaiting }: SemaphoreOptions): Semaphore => {
  let free = permits;
  const waiting: (() => void)[] = [];

  const acquire = async (): Promise<void> => {
    if (free > 0) free -= 1;
    else await new Promise<void>((resolve) => waiting.push(resolve));
  };

  const release = (): void => {
    const next = waiting.shift();
    if (next === undefined) free += 1;
    else next();
  };

  const run = async <T>(task: () => Promise<T>): Promise<T> => {
    await acquire();
    try {
      return await task();
    } finally {
      release();
    }
  };

  return {
    tryRun: (task) => (free === 0 && waiting.length >= maxWaiting ? undefined : run(task)),
  };
};
