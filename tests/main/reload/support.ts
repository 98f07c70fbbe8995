/** A reloader with a fake fleet, and what it leaves behind. */
import type { Attempt, Fleet } from "../../../src/app/reload-control.ts";
import { settingsSchema } from "../../../src/config/schema/schema.ts";
import { createReloader } from "../../../src/main/reload/reloader.ts";
import type { InUse, Reading } from "../../../src/main/reload/source.ts";
import { createFakeClock } from "../../support/fake-clock.ts";

export const START = "2026-01-01T00:00:00.000Z";
const NOTHING: InUse = { settings: settingsSchema.parse({}), compared: {}, tls: {} };

type Read = Extract<Reading, { readonly status: "read" }>;

export const FOUND: Read = {
  status: "read",
  next: NOTHING,
  changed: [],
  needsRestart: [],
  keptFaults: [],
  files: new Map(),
};

export const CHANGED: Partial<Read> = { changed: ["auth.apiKeys[a]"] };

export const setUp = (settings: object = {}) => {
  const clock = createFakeClock();
  const events: string[] = [];
  const lines: unknown[] = [];
  const audit: unknown[] = [];
  const counts: string[] = [];
  const shown: unknown[] = [];
  const world = {
    found: FOUND as Reading,
    faults: [] as readonly string[],
    /** The last value of the metric. */
    isRefused: undefined as boolean | undefined,
    /** Called in each reading. */
    reading: (): Promise<void> => Promise.resolve(),
  };
  const fleet: Fleet = {
    prepare: ({ attempt }: Attempt) => {
      events.push(`prepare ${attempt}`);
      return Promise.resolve(world.faults);
    },
    swap: (attempt) => {
      events.push(`swap ${attempt}`);
      return Promise.resolve(2);
    },
    discard: (attempt) => void events.push(`discard ${attempt}`),
    workers: 2,
    show: (status) => void shown.push(status),
  };
  const log = (level: string) => (members: object, msg: string) =>
    void lines.push({ level, msg, ...members });
  const reloader = createReloader({
    inUse: { ...NOTHING, settings: settingsSchema.parse(settings) },
    startedAt: START,
    read: async () => {
      events.push("read");
      await world.reading();
      return world.found;
    },
    fleet,
    clock,
    logger: { info: log("info"), warn: log("warn"), error: log("error") } as never,
    metrics: {
      reloadEnded: (trigger, outcome) => void counts.push(`${trigger} ${outcome}`),
      settingsRefused: (isRefused) => {
        world.isRefused = isRefused;
      },
      restartNeeded: (isNeeded) => void counts.push(`restart ${isNeeded}`),
    },
    filesRead: () => void events.push("files"),
    applied: () => void events.push("applied"),
    audited: (entry) => void audit.push(entry),
  });
  return { clock, reloader, world, events, lines, audit, counts, shown };
};

export const find = (found: Partial<Read>): Reading => ({ ...FOUND, ...found });

/** Lets promises settle that wait for nothing else. */
export const turns = async (): Promise<void> => {
  for (let turn = 0; turn < 20; turn += 1) await Promise.resolve();
};
