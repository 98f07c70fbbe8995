import { createReadiness } from "../../../src/broker/kafka/kafka-broker.ts";
import { GatewayError } from "../../../src/errors.ts";
import type { AppendOutcome } from "../../../src/broker/broker.ts";

const STORED: AppendOutcome = { status: "stored", partition: 0, offset: 0n, timestamp: 1 };
const REFUSED: AppendOutcome = { status: "failed", error: new GatewayError("RECORD_TOO_LARGE") };
const FAILED: AppendOutcome = { status: "failed", error: new GatewayError("BROKER_UNAVAILABLE") };

/** A cluster that counts how often it is asked. */
const clusterThat = (answer: () => Promise<string>) => {
  const asked: (number | undefined)[] = [];
  return {
    asked,
    clusterId: (patience?: number) => {
      asked.push(patience);
      return answer();
    },
  };
};

describe("readiness", () => {
  it("asks nobody while something was stored within the last second", async () => {
    const cluster = clusterThat(() => Promise.reject(new TypeError("away")));
    const readiness = createReadiness(cluster);
    readiness.settled([REFUSED, STORED]);

    await expect(readiness.check()).resolves.toBeUndefined();
    expect(cluster.asked).toEqual([]);
  });

  it.each([
    ["has failed", [FAILED]],
    ["was given up in part, long after it stored the other", [STORED, FAILED]],
    ["was refused", [REFUSED]],
  ])("takes no append for a proof that %s", async (_, outcomes) => {
    const cluster = clusterThat(() => Promise.reject(new TypeError("away")));
    const readiness = createReadiness(cluster);
    readiness.settled(outcomes);

    await expect(readiness.check()).rejects.toMatchObject({ code: "BROKER_UNAVAILABLE" });
    expect(cluster.asked).toHaveLength(1);
  });

  it("asks once for all who ask it at a time, with too little patience for one broker to use all the time", async () => {
    const cluster = clusterThat(() => Promise.resolve("cluster"));
    const readiness = createReadiness(cluster);
    await Promise.all([readiness.check(), readiness.check()]);
    await readiness.check();

    expect(cluster.asked).toHaveLength(2);
    expect(cluster.asked.every((patience) => patience !== undefined && patience <= 900)).toBe(true);
  });

  it("ends within two seconds whatever the brokers do", async () => {
    const readiness = createReadiness(clusterThat(() => new Promise(() => undefined)));
    const begun = performance.now();

    await expect(readiness.check()).rejects.toMatchObject({ code: "BROKER_UNAVAILABLE" });
    expect(performance.now() - begun).toBeLessThan(2000);
  });
});
