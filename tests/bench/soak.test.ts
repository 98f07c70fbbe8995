import { isBroken, rowsOf, table, type Outcome } from "../../bench/soak/verdict.ts";

const outcome: Outcome = {
  broker: "Kafka",
  clients: ["single", "batch"],
  acknowledged: new Set(["single-1", "single-2", "batch-1"]),
  stored: ["single-1", "single-2", "single-2", "batch-1", "batch-2", "batch-2"],
  delivered: new Set(["single-1", "single-2", "batch-1", "batch-2"]),
  sent: 5,
  read: 6,
  badAccepted: 0,
  statuses: new Map([[200, 3]]),
  rssStart: 100,
  rssPeak: 200,
  rssEnd: 120,
  slowestHealth: 50,
  busiestHealth: 20,
};
const bounds = { rssGrowth: 50, health: 300, busy: 100 };

const valueOf = (of: Outcome, row: string): number | undefined =>
  rowsOf(of, bounds).find(({ name }) => name === row)?.value;
const broken = (of: Outcome): readonly string[] =>
  rowsOf(of, bounds)
    .filter(isBroken)
    .map(({ name }) => name);

describe("the verdict of a soak", () => {
  it("counts acknowledged, stored and duplicated events", () => {
    expect(valueOf(outcome, "acknowledged")).toBe(3);
    expect(valueOf(outcome, "found")).toBe(3);
    expect(valueOf(outcome, "doubled")).toBe(1);
    expect(valueOf(outcome, "stored without acknowledgement")).toBe(1);
    expect(broken(outcome)).toEqual([]);
  });

  it("is broken by each lost or undelivered event, and by each exceeded bound", () => {
    expect(broken({ ...outcome, stored: ["single-1", "batch-1"] })).toEqual(["lost"]);
    expect(broken({ ...outcome, delivered: new Set(["single-1"]) })).toEqual(["not delivered"]);
    expect(broken({ ...outcome, clients: ["single", "batch", "v2"] })).toEqual(["APIs that stored nothing"]);
    expect(broken({ ...outcome, badAccepted: 1 })).toEqual(["bad calls accepted"]);
    expect(broken({ ...outcome, rssEnd: 151 })).toEqual(["RSS at end, MiB"]);
    expect(broken({ ...outcome, slowestHealth: 301 })).toEqual(["slowest /healthz, ms"]);
    expect(broken({ ...outcome, busiestHealth: 101 })).toEqual(["CPU during a /healthz, ms"]);
  });

  it("marks broken bounds in the table", () => {
    const lines = table("Kafka", rowsOf({ ...outcome, stored: [] }, bounds)).split("\n");

    expect(lines.filter((line) => line.includes("BROKEN"))).toEqual([
      expect.stringMatching(/^\| lost .* 3 \|/),
    ]);
  });
});
