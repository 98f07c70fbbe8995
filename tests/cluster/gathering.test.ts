import { setImmediate as turn } from "node:timers/promises";
import { createGathering } from "../../src/cluster/gathering.ts";
import { createMetrics, type Metrics } from "../../src/observability/metrics.ts";
import { textOfSum, type MetricSamples } from "../../src/observability/summed-metrics.ts";

const NEVER = 60_000;

const stored = async (all: readonly MetricSamples[]): Promise<string | undefined> =>
  /^stationgate_events_total\{.*\} (.*)$/m.exec(await textOfSum(all))?.[1];

describe("gathering the workers' metrics", () => {
  const workers = new Map<number, Metrics>();

  const hire = (worker: number): Metrics => {
    const metrics = createMetrics();
    workers.set(worker, metrics);
    return metrics;
  };

  const gatherAll = (gathering: ReturnType<typeof createGathering>, mute: readonly number[] = []) =>
    gathering.gather([...workers.keys()], (worker, id) => {
      if (mute.includes(worker)) return;
      void workers
        .get(worker)
        ?.samples()
        .then((samples) => {
          gathering.answered(worker, id, samples);
        });
    });

  beforeEach(() => {
    workers.clear();
  });

  it("sums what all have counted", async () => {
    hire(1).eventsEnded("orders", "stored", 2);
    hire(2).eventsEnded("orders", "stored", 3);

    expect(await stored(await gatherAll(createGathering(NEVER)))).toBe("5");
  });

  it("keeps what the dead had counted when they were asked last", async () => {
    const gathering = createGathering(NEVER);
    hire(1).eventsEnded("orders", "stored", 2);
    hire(2).eventsEnded("orders", "stored", 3);
    await gatherAll(gathering);
    for (const worker of [1, 2]) {
      workers.delete(worker);
      gathering.ended(worker);
    }
    await turn();
    hire(3).eventsEnded("orders", "stored", 10);

    expect(await stored(await gatherAll(gathering))).toBe("15");
  });

  it("keeps no gauges of the dead", async () => {
    const gathering = createGathering(NEVER);
    hire(1).bufferedBytesFrom(() => 700);
    await gatherAll(gathering);
    workers.delete(1);
    gathering.ended(1);
    await turn();
    hire(2).bufferedBytesFrom(() => 5);
    const text = await textOfSum(await gatherAll(gathering));

    expect(text).toMatch(/^stationgate_buffered_bytes 5$/m);
  });

  it("doesn't wait for a worker that ends instead of answering", async () => {
    const gathering = createGathering(NEVER);
    hire(1).eventsEnded("orders", "stored", 2);
    hire(2);
    const gathered = gatherAll(gathering, [2]);
    gathering.ended(2);

    expect(await stored(await gathered)).toBe("2");
  });

  it("takes the last answer of one that doesn't answer in time", async () => {
    const gathering = createGathering(50);
    hire(1).eventsEnded("orders", "stored", 2);
    await gatherAll(gathering);

    expect(await stored(await gatherAll(gathering, [1]))).toBe("2");
  });
});
