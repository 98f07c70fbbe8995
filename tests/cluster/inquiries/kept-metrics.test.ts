import { setImmediate as turn } from "node:timers/promises";
import { createKeptMetrics } from "../../../src/cluster/inquiries.ts";
import { createMetrics, type Metrics, textOfSum } from "../../../src/observability/metrics.ts";

const counted = (events: number): Metrics => {
  const metrics = createMetrics();
  metrics.eventsEnded("orders", "stored", events);
  return metrics;
};

const STORED = /^stationgate_events_total\{.*\} (.*)$/m;

describe("kept metrics", () => {
  it("hold the last answer of each worker", async () => {
    const kept = createKeptMetrics();
    kept.answered(1, await counted(1).samples());
    kept.answered(1, await counted(2).samples());
    kept.answered(2, await counted(3).samples());

    expect(STORED.exec(await textOfSum(kept.all))?.[1]).toBe("5");
  });

  it("hold the counts of ended workers", async () => {
    const kept = createKeptMetrics();
    kept.answered(1, await counted(2).samples());
    kept.answered(2, await counted(3).samples());
    kept.ended(1);
    kept.ended(2);
    await turn();
    kept.answered(3, await counted(10).samples());

    expect(STORED.exec(await textOfSum(kept.all))?.[1]).toBe("15");
  });

  it("hold no gauges of ended workers", async () => {
    const kept = createKeptMetrics();
    const [dead, alive] = [createMetrics(), createMetrics()];
    dead.bufferedBytesFrom(() => 700);
    alive.bufferedBytesFrom(() => 5);
    kept.answered(1, await dead.samples());
    kept.ended(1);
    await turn();
    kept.answered(2, await alive.samples());

    expect(await textOfSum(kept.all)).toMatch(/^stationgate_buffered_bytes 5$/m);
  });
});
