import { createPreparation } from "../../src/app/preparation.ts";
import type { Prepare, Prepared } from "../../src/app/reload-control.ts";
import { settingsSchema } from "../../src/config/schema/schema.ts";
import { GatewayError } from "../../src/errors.ts";

const settings = settingsSchema.parse({});
const attempt = (number: number) => ({ attempt: number, settings, tls: {} });

/** Records what happens to the prepared generations, which are numbered in the order of `prepare`. */
const recording = () => {
  const events: string[] = [];
  let count = 0;
  const prepared = (): Prepared => {
    const name = ++count;
    return {
      swap: () => void events.push(`swap ${name}`),
      discard: () => void events.push(`discard ${name}`),
    };
  };
  return { events, prepared, prepare: (() => Promise.resolve(prepared())) satisfies Prepare };
};

it("swaps what is prepared, once", async () => {
  const { events, prepare } = recording();
  const preparation = createPreparation(prepare);

  expect(await preparation.prepare(attempt(1))).toBeUndefined();
  expect([preparation.swap(1), preparation.swap(1)]).toEqual([true, false]);
  expect(events).toEqual(["swap 1"]);
});

it("discards what is prepared, and swaps it no more", async () => {
  const { events, prepare } = recording();
  const preparation = createPreparation(prepare);
  await preparation.prepare(attempt(1));
  preparation.discard(1);
  preparation.discard(1);

  expect(preparation.swap(1)).toBe(false);
  expect(events).toEqual(["discard 1"]);
});

it("ignores an attempt that it does not prepare", async () => {
  const { events, prepare } = recording();
  const preparation = createPreparation(prepare);
  await preparation.prepare(attempt(2));
  preparation.discard(1);

  expect([preparation.swap(1), preparation.swap(2)]).toEqual([false, true]);
  expect(events).toEqual(["swap 1"]);
});

it("discards an attempt when the next one begins, also one that is not ready yet", async () => {
  const { events, prepared } = recording();
  const ends: ((made: Prepared) => void)[] = [];
  const preparation = createPreparation(() => new Promise((resolve) => ends.push(resolve)));
  const first = preparation.prepare(attempt(1));
  const second = preparation.prepare(attempt(2));
  ends[1]?.(prepared());
  ends[0]?.(prepared());

  expect(await second).toBeUndefined();
  expect(await first).toBe("the attempt was discarded");
  expect(preparation.swap(2)).toBe(true);
  expect(events).toEqual(["discard 2", "swap 1"]);
});

it.each([
  [new GatewayError("SETTINGS_INVALID", { message: "stations[0]: wrong" }), "stations[0]: wrong"],
  [new TypeError("a bug"), "a bug"],
  ["no error", "unknown fault"],
])("reports the fault %s, and has nothing to swap", async (error, fault) => {
  // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors -- a schema module can reject with anything
  const preparation = createPreparation(() => Promise.reject(error));

  expect(await preparation.prepare(attempt(1))).toBe(fault);
  expect(preparation.swap(1)).toBe(false);
});
