import { jest } from "@jest/globals";
import { createReadiness } from "../../../src/broker/kafka/kafka-broker.ts";
import { GatewayError } from "../../../src/errors.ts";
import type { AppendOutcome } from "../../../src/broker/broker.ts";

const STORED: AppendOutcome = { status: "stored", partition: 0, offset: 0n, timestamp: 1 };
const REFUSED: AppendOutcome = { status: "failed", error: new GatewayError("RECORD_TOO_LARGE") };
const FAILED: AppendOutcome = { status: "failed", error: new GatewayError("BROKER_UNAVAILABLE") };

/** A cluster that counts the requests. */
const clusterThat = (answer: () => Promise<string>) => {
  const timeouts: (number | undefined)[] = [];
  return {
    timeouts,
    clusterId: (timeout?: number) => {
      timeouts.push(timeout);
      return answer();
    },
  };
};

describe("readiness", () => {
  afterEach(() => {
    jest.useRealTimers();
  });

  it("needs no request if a record was stored within the last second and the caller accepts that", async () => {
    const cluster = clusterThat(() => Promise.reject(new TypeError("away")));
    const readiness = createReadiness(cluster);
    readiness.settled([REFUSED, STORED]);

    await expect(readiness.check()).resolves.toBeUndefined();
    expect(cluster.timeouts).toEqual([]);
    await expect(readiness.check(true)).rejects.toMatchObject({ code: "BROKER_UNAVAILABLE" });
  });

  it.each([
    ["has failed", [FAILED]],
    ["timed out for one of its partitions", [STORED, FAILED]],
    ["was refused", [REFUSED]],
  ])("sends a request after an append that %s", async (_, outcomes) => {
    const cluster = clusterThat(() => Promise.reject(new TypeError("away")));
    const readiness = createReadiness(cluster);
    readiness.settled(outcomes);

    await expect(readiness.check()).rejects.toMatchObject({ code: "BROKER_UNAVAILABLE" });
    expect(cluster.timeouts).toHaveLength(1);
  });

  it("shares one request among concurrent checks, with a timeout per broker that is shorter than the whole time", async () => {
    const cluster = clusterThat(() => Promise.resolve("cluster"));
    const readiness = createReadiness(cluster);
    await Promise.all([readiness.check(), readiness.check()]);
    await readiness.check();

    expect(cluster.timeouts).toHaveLength(2);
    expect(cluster.timeouts.every((timeout) => timeout !== undefined && timeout <= 900)).toBe(true);
  });

  it("fails within two seconds if no broker answers", async () => {
    jest.useFakeTimers();
    const readiness = createReadiness(clusterThat(() => new Promise(() => undefined)));
    let failure: unknown;
    readiness.check().catch((error: unknown) => (failure = error));
    await jest.advanceTimersByTimeAsync(1999);

    expect(failure).toMatchObject({ code: "BROKER_UNAVAILABLE" });
  });
});
