import type { Prepared } from "../../../src/app/reload-control.ts";
import { settingsSchema } from "../../../src/config/schema/schema.ts";
import { createOwnFleet } from "../../../src/main/reload/own-fleet.ts";
import { createFakeClock } from "../../support/fake-clock.ts";

const attempt = { attempt: 1, settings: settingsSchema.parse({}), tls: {} };

const recording = () => {
  const events: string[] = [];
  const prepared: Prepared = {
    swap: () => void events.push("swap"),
    discard: () => void events.push("discard"),
  };
  return { events, prepared };
};

it("prepares and swaps this process", async () => {
  const { events, prepared } = recording();
  const fleet = createOwnFleet(() => Promise.resolve(prepared), createFakeClock());

  expect(await fleet.prepare(attempt)).toEqual([]);
  expect(await fleet.swap(1)).toBe(1);
  expect(events).toEqual(["swap"]);
});

it("names the fault", async () => {
  const fleet = createOwnFleet(() => Promise.reject(new TypeError("no")), createFakeClock());

  expect(await fleet.prepare(attempt)).toEqual(["no"]);
});

it("does not wait longer than 30 s, and discards what comes later", async () => {
  const { events, prepared } = recording();
  const clock = createFakeClock();
  let end = (_prepared: Prepared): void => undefined;
  const fleet = createOwnFleet(() => new Promise((resolve) => (end = resolve)), clock);
  const faults = fleet.prepare(attempt);
  await clock.pending(30_000);
  clock.advance(30_000);

  expect(await faults).toEqual(["the new settings were not ready within 30 s"]);

  fleet.discard(1);
  end(prepared);
  await new Promise(setImmediate);

  expect(events).toEqual(["discard"]);
});
