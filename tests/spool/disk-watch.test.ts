/** The watch of the spool's disk, with a clock that the test advances. */
import { spoolFiles } from "../../src/spool/files.ts";
import { watchDisk } from "../../src/spool/disk-watch.ts";
import { newDirectory } from "./support.ts";

/** A disk with space for `disk.space` bytes. */
const watched = () => {
  const timers: (() => void)[] = [];
  const disk = { space: 0 };
  const tried: number[] = [];
  const changes: boolean[] = [];
  const watch = watchDisk({
    directory: newDirectory(),
    files: {
      ...spoolFiles,
      create: async (name) => {
        const file = await spoolFiles.create(name);
        return {
          ...file,
          write: (bytes) => {
            tried.push(bytes.length);
            return bytes.length <= disk.space ? Promise.resolve() : Promise.reject(new Error("no space"));
          },
        };
      },
    },
    clock: {
      ...{ now: () => 0, monotonic: () => 0 },
      after: (_, action) => {
        timers.push(action);
        return () => undefined;
      },
    },
    onChange: (isWritable) => changes.push(isWritable),
  });
  /** Ends the wait for the next write, and resolves when that write has its outcome. */
  const pass = async (): Promise<void> => {
    const before = [timers.length, changes.length].join();
    timers.shift()?.();
    while ([timers.length + 1, changes.length].join() === before)
      await new Promise((resolve) => setImmediate(resolve));
  };
  return { watch, disk, tried, changes, pass, timers };
};

it("tries a write as large as the failed one until the disk takes it", async () => {
  const { watch, disk, tried, changes, pass, timers } = watched();
  watch.failed(300_000);
  watch.failed(100_000);
  expect([watch.isWritable, changes, timers.length]).toEqual([false, [false], 1]);
  await pass();
  disk.space = 299_999;
  await pass();
  expect(watch.isWritable).toBe(false);
  disk.space = 300_000;
  await pass();
  expect(changes).toEqual([false, true]);
  expect(tried).toEqual([300_000, 300_000, 300_000]);
  expect(timers).toEqual([]);
});

it.each([
  [10, 64 * 1024],
  [100_000_000, 2 * 1024 * 1024],
])("tries a bounded write after a failed write of %i bytes", async (failed, expected) => {
  const { watch, tried, pass } = watched();
  watch.failed(failed);
  await pass();
  expect(tried).toEqual([expected]);
});

it("writes nothing after its end", async () => {
  const { watch, tried, changes, timers } = watched();
  watch.failed(1);
  await watch.close();
  watch.failed(1);
  expect([changes, tried, timers.length]).toEqual([[false], [], 1]);
});
