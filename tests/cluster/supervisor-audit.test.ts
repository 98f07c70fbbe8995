import type { ToWorker } from "../../src/cluster/messages.ts";
import { createSupervisorAudit } from "../../src/cluster/supervisor-audit.ts";

const setUp = (...workers: readonly number[]) => {
  const serving = new Set(workers);
  const written: unknown[] = [];
  /** By worker. */
  const told = new Map<number, ToWorker[]>();
  const warnings: object[] = [];
  let unstored = 0;
  const audit = createSupervisorAudit({
    write: (line) => void written.push(line),
    logger: { warn: (fields: object) => void warnings.push(fields) },
    serving: () =>
      [...serving].map((id) => ({
        id,
        tell: (message) => void told.set(id, [...(told.get(id) ?? []), message]),
      })),
    unstored: (entries) => {
      unstored += entries;
    },
    now: () => 7,
  });
  return {
    ...{ audit, serving, written, warnings, unstored: () => unstored },
    at: (worker: number) => told.get(worker) ?? [],
    end: (worker: number) => {
      serving.delete(worker);
      audit.onEnd(worker);
    },
    begin: (worker: number) => {
      serving.add(worker);
      audit.onReady();
    },
  };
};

const ENTRY = { action: "settings.reload", via: "file", outcome: "done" } as const;
const WRITTEN = { level: "info", time: 7, ...ENTRY, msg: "audit" };
const LINE = { ...WRITTEN, id: expect.any(String) as unknown };

it("writes a line, and a worker stores it", () => {
  const { audit, written, at, end, begin } = setUp(1);
  audit.record(ENTRY);
  expect(written).toEqual([WRITTEN]);
  expect(at(1)).toEqual([{ type: "audit", id: 1, line: LINE }]);
  audit.onMessage(1, { type: "audit-taken", id: 1 });
  end(1);
  begin(2);
  expect(at(2)).toEqual([]);
});

it("writes a line while no worker serves, and the next worker stores it", () => {
  const { audit, written, at, begin } = setUp();
  audit.record(ENTRY);
  expect(written).toEqual([WRITTEN]);
  begin(1);
  audit.onReady();
  expect(at(1)).toEqual([{ type: "audit", id: 1, line: LINE }]);
});

it("gives a line that a worker has not confirmed to another one when that worker ends", () => {
  const { audit, at, end } = setUp(1, 2);
  audit.record(ENTRY);
  expect([at(1).length, at(2).length]).toEqual([1, 0]);
  end(1);
  expect(at(2)).toEqual([{ type: "audit", id: 2, line: LINE }]);
  // The station shows by the id that it is one entry.
  expect(at(2)).toEqual(at(1).map((message) => ({ ...message, id: 2 })));
});

it("gives the next lines to another worker while a worker is silent", () => {
  const { audit, at } = setUp(1, 2);
  audit.record(ENTRY);
  for (const id of [2, 3, 4]) {
    audit.record(ENTRY);
    audit.onMessage(2, { type: "audit-taken", id });
  }
  expect([at(1).length, at(2).length]).toEqual([1, 3]);
});

it.each([
  ["no worker serves", []],
  ["all workers are silent", [1, 2]],
])("keeps a thousand lines while %s, counts further lines and warns once", (_, workers) => {
  const { audit, written, at, warnings, unstored, end, begin } = setUp(...workers);
  for (let n = 0; n < 1003; n += 1) audit.record(ENTRY);
  for (const worker of workers) end(worker);
  begin(3);
  expect([written.length, at(3).length, unstored()]).toEqual([1003, 1000, 3]);
  expect(warnings).toEqual([{ entries: 1, reason: "1000 entries wait already" }]);
});

it("counts the lines that still wait at the end, and warns about them", () => {
  const { audit, warnings, unstored, end } = setUp(1);
  audit.record(ENTRY);
  audit.record(ENTRY);
  audit.onMessage(1, { type: "audit-taken", id: 1 });
  end(1);
  audit.close();
  audit.close();
  expect([unstored(), warnings]).toEqual([1, [{ entries: 1, reason: "the process ends" }]]);
});
