import type { ToWorker } from "../../src/cluster/messages.ts";
import { createSupervisorAudit } from "../../src/cluster/supervisor-audit.ts";

const setUp = (isServing: boolean) => {
  const world = { isServing };
  const written: unknown[] = [];
  const told: ToWorker[] = [];
  const warnings: object[] = [];
  const audit = createSupervisorAudit({
    write: (line) => void written.push(line),
    logger: { warn: (fields: object) => void warnings.push(fields) },
    tellWorker: (message) => {
      if (world.isServing) told.push(message);
      return world.isServing;
    },
    now: () => 7,
  });
  return { ...{ audit, world, written, told, warnings } };
};

const ENTRY = { action: "settings.reload", via: "file", outcome: "done" } as const;
const LINE = { level: "info", time: 7, ...ENTRY, msg: "audit" };

it("writes a line, and a worker stores it", () => {
  const { audit, written, told } = setUp(true);
  audit.record(ENTRY);
  expect(written).toEqual([LINE]);
  expect(told).toEqual([{ type: "audit", line: LINE }]);
});

it("writes a line while no worker serves, and the next worker stores it", () => {
  const { audit, world, written, told } = setUp(false);
  audit.record(ENTRY);
  expect([written, told]).toEqual([[LINE], []]);
  world.isServing = true;
  audit.onReady();
  audit.onReady();
  expect(told).toEqual([{ type: "audit", line: LINE }]);
});

it("keeps a thousand lines for the next worker, and warns about further ones", () => {
  const { audit, world, written, told, warnings } = setUp(false);
  for (let n = 0; n < 1001; n += 1) audit.record(ENTRY);
  world.isServing = true;
  audit.onReady();
  expect([written.length, told.length]).toEqual([1001, 1000]);
  expect(warnings).toEqual([{ entries: 1, reason: "no worker serves" }]);
});
