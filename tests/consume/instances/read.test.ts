import { setImmediate as turn } from "node:timers/promises";
import type { Cursor } from "../../../src/consume/instances/cursor.ts";
import { untilReadable } from "../../../src/consume/instances/read.ts";
import { asGatewayError } from "../../../src/errors.ts";
import { createFakeClock } from "../../support/fake-clock.ts";

/** A cursor without records whose leader has not answered within the last second. */
const cursorHeardAt = (heardAt: number): Cursor => {
  const cursor = { bytes: 0, hasRecord: false, isCurrent: false, isStarved: false, fetch: () => undefined };
  return { ...cursor, heardAt } as unknown as Cursor;
};

const setUp = (silentMs = 0) => {
  const clock = createFakeClock();
  let cursors = [cursorHeardAt(clock.now() - silentMs)];
  let wake = (): void => undefined;
  let outcome = "waits";
  void untilReadable({
    ...{ clock, deadline: clock.now() + 60_000, minBytes: 1, maxBytes: 1000 },
    signal: new AbortController().signal,
    cursors: () => cursors,
    changed: () => new Promise((resolve) => (wake = resolve)),
  }).then(
    () => (outcome = "ended"),
    (error: unknown) => (outcome = asGatewayError(error).code),
  );
  const advance = async (ms: number): Promise<void> => {
    await turn();
    clock.advance(ms);
    await turn();
  };
  return {
    ...{ clock, advance },
    divide: () => {
      cursors = [cursorHeardAt(clock.now())];
      wake();
    },
    get outcome() {
      return outcome;
    },
  };
};

it("waits on while the partitions of the instance change, although no leader has answered since", async () => {
  const read = setUp();
  for (let n = 0; n < 10; n++) {
    await read.advance(3000);
    read.divide();
  }
  await read.advance(0);
  expect(read.outcome).toBe("waits");
});

it("fails when a leader has not answered for 7 s of the call", async () => {
  const read = setUp(60_000);
  await read.advance(6900);
  expect(read.outcome).toBe("waits");
  await read.advance(100);
  expect(read.outcome).toBe("BROKER_UNAVAILABLE");
});
