import type { Prepared } from "../../src/app/reload-control.ts";
import type { ToSupervisor } from "../../src/cluster/messages.ts";
import { createWorkerReloading, isOfReload } from "../../src/cluster/worker-reloading.ts";
import { settingsSchema } from "../../src/config/schema/schema.ts";

const settings = settingsSchema.parse({});
const STATUS = { generation: 1, loadedAt: "2026-01-01T00:00:00.000Z", needsRestart: [] };

const setUp = () => {
  const said: ToSupervisor[] = [];
  const heard: (() => void)[] = [];
  const reloading = createWorkerReloading((message) => {
    said.push(message);
    for (const resolve of heard.splice(0)) resolve();
  });
  return { reloading, said, heard: () => new Promise<void>((resolve) => heard.push(resolve)) };
};

const NO_AUDIT = { store: () => undefined };

it("stores the supervisor's audit lines, and confirms them", () => {
  const { reloading, said } = setUp();
  const entries: object[] = [];
  const prepare = () => Promise.reject(new TypeError("not here"));
  const line = { time: 7, action: "settings.reload", via: "signal", outcome: "done", msg: "audit" };
  reloading.serve({ prepare, audit: { store: (one) => void entries.push(one) } });
  reloading.onMessage({ type: "audit", id: 3, line });
  expect(entries).toEqual([line]);
  expect(said).toEqual([{ type: "audit-taken", id: 3 }]);
});

it("prepares, swaps and confirms", async () => {
  const { reloading, said, heard } = setUp();
  const done: string[] = [];
  const prepared: Prepared = {
    swap: () => void done.push("swap"),
    discard: () => void done.push("discard"),
  };
  reloading.serve({ prepare: () => Promise.resolve(prepared), audit: NO_AUDIT });
  reloading.onMessage({ type: "prepare", attempt: 4, settings, tls: {} });
  await heard();
  reloading.onMessage({ type: "swap", attempt: 4 });
  // The second one has nothing to confirm.
  reloading.onMessage({ type: "swap", attempt: 4 });

  expect(said).toEqual([
    { type: "prepared", attempt: 4, fault: undefined },
    { type: "swapped", attempt: 4 },
  ]);
  expect(done).toEqual(["swap"]);
});

it("says what it can't prepare", async () => {
  const { reloading, said, heard } = setUp();
  reloading.serve({ prepare: () => Promise.reject(new TypeError("no")), audit: NO_AUDIT });
  reloading.onMessage({ type: "prepare", attempt: 1, settings, tls: {} });
  await heard();

  expect(said).toEqual([{ type: "prepared", attempt: 1, fault: "no" }]);
});

it("can't prepare before it serves", async () => {
  const { reloading, said, heard } = setUp();
  reloading.onMessage({ type: "prepare", attempt: 1, settings, tls: {} });
  if (said.length === 0) await heard();

  expect(said).toEqual([{ type: "prepared", attempt: 1, fault: "the worker does not serve yet" }]);
});

it("passes requests on, each with its own answer", async () => {
  const { reloading, said } = setUp();
  const control = reloading.control(STATUS);
  const answers = [control.reload({ dryRun: true }), control.reload({ dryRun: false })];

  expect(said).toEqual([
    { type: "reload", id: 1, dryRun: true },
    { type: "reload", id: 2, dryRun: false },
  ]);

  reloading.onMessage({ type: "reload-ended", id: 2, answer: { status: "nothingToReload" } });
  reloading.onMessage({ type: "reload-ended", id: 1, answer: { status: "failed", faults: [] } });

  expect(await Promise.all(answers)).toEqual([
    { status: "failed", faults: [] },
    { status: "nothingToReload" },
  ]);
});

it("shows the newest status", () => {
  const { reloading } = setUp();
  const control = reloading.control(STATUS);
  reloading.onMessage({ type: "reload-status", status: { ...STATUS, generation: 2 } });

  expect(control.status().generation).toBe(2);
});

it("tells its messages from the others", () => {
  expect(isOfReload({ type: "swap", attempt: 1 })).toBe(true);
  expect(isOfReload({ type: "shut" })).toBe(false);
});
