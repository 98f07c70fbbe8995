import { createLifecycle } from "../../src/app/lifecycle.ts";
import type { Logger } from "../../src/observability/logger/logger.ts";

const silent = { warn: () => undefined } as unknown as Logger;

it("closes the parts in the reverse order, and tells each how much time is left", async () => {
  const lifecycle = createLifecycle(silent);
  const closed: string[] = [];
  const left: number[] = [];
  for (const name of ["first", "second"])
    lifecycle.onClose(name, (leftMs) => {
      closed.push(name);
      left.push(leftMs);
      return Promise.resolve();
    });
  await lifecycle.close(60_000);

  expect(closed).toEqual(["second", "first"]);
  expect(left[0]).toBeLessThanOrEqual(57_000);
  expect(left[1]).toBeLessThanOrEqual(left[0] ?? 0);
  expect(left[1]).toBeGreaterThan(0);
});
