import { jest } from "@jest/globals";
import { createReadiness } from "../../../src/broker/kafka/readiness.ts";
import type { WireCluster } from "../../../src/broker/kafka/wire-cluster.ts";
import { GatewayError } from "../../../src/errors.ts";
import type { AppendOutcome } from "../../../src/broker/broker.ts";

const STORED: AppendOutcome = { status: "stored", partition: 0, offset: 0n, timestamp: 1 };
const REFUSED: AppendOutcome = { status: "failed", error: new GatewayError("RECORD_TOO_LARGE") };
const FAILED: AppendOutcome = { status: "failed", error: new GatewayError("BROKER_UNAVAILABLE") };

/** A cluster that counts the requests. */
const clusterThat = (answer: WireCluster["reach"]) => {
  const timeouts: number[] = [];
  return {
    timeouts,
    reach: (timeout: number) => {
      timeouts.push(timeout);
      return answer(timeout);
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
    const cluster = clusterThat(() => Promise.resolve({ known: 1, reached: 1 }));
    const readiness = createReadiness(cluster);
    await Promise.all([readiness.check(), readiness.check()]);
    await readiness.check();

    expect(cluster.timeouts).toHaveLength(2);
    expect(cluster.timeouts.every((timeout) => timeout <= 900)).toBe(true);
  });

  it("fails within two seconds if no broker answers", async () => {
    jest.useFakeTimers();
    const readiness = createReadiness(clusterThat(() => new Promise(() => undefined)));
    let failure: unknown;
    readiness.check().catch((error: unknown) => (failure = error));
    await jest.advanceTimersByTimeAsync(1999);

    expect(failure).toMatchObject({ code: "BROKER_UNAVAILABLE" });
  });

  it.each([
    [3, 3, "ready"],
    [3, 2, "ready"],
    [3, 1, "lost"],
    [3, 0, "lost"],
    [2, 1, "ready"],
    [2, 0, "BROKER_UNAVAILABLE"],
    [1, 0, "BROKER_UNAVAILABLE"],
    [5, 3, "ready"],
    [5, 2, "lost"],
  ])("of a cluster of %i brokers of which %i can be reached: %s", async (known, reached, state) => {
    const readiness = createReadiness(clusterThat(() => Promise.resolve({ known, reached })));
    const code = await readiness.check().then(
      () => "ready",
      (error: unknown) => (error as GatewayError).code,
    );
    expect(code).toBe(state === "ready" ? "ready" : "BROKER_UNAVAILABLE");
    expect(readiness.isLost()).toBe(state === "lost");
  });

  it("names the fault if no broker answers", async () => {
    const failure = new TypeError("wrong password");
    const readiness = createReadiness(clusterThat(() => Promise.resolve({ known: 1, reached: 0, failure })));
    await expect(readiness.check()).rejects.toMatchObject({ code: "BROKER_UNAVAILABLE", cause: failure });
  });

  it("asks each second in which no record is stored", async () => {
    jest.useFakeTimers({ now: 0 });
    let reached = 1;
    let asked = 0;
    const readiness = createReadiness({
      reach: () => {
        asked += 1;
        return Promise.resolve({ known: 3, reached });
      },
    });
    readiness.start();
    expect(readiness.isLost()).toBe(false);
    await jest.advanceTimersByTimeAsync(1000);
    expect([readiness.isLost(), asked]).toEqual([true, 1]);
    readiness.settled([STORED]);
    expect(readiness.isLost()).toBe(false);
    await jest.advanceTimersByTimeAsync(900);
    readiness.settled([STORED]);
    await jest.advanceTimersByTimeAsync(100);
    expect(asked).toBe(1);
    await jest.advanceTimersByTimeAsync(1000);
    expect([readiness.isLost(), asked]).toEqual([true, 2]);
    reached = 3;
    await jest.advanceTimersByTimeAsync(1000);
    expect([readiness.isLost(), asked]).toEqual([false, 3]);
    readiness.stop();
    await jest.advanceTimersByTimeAsync(5000);
    expect(asked).toBe(3);
  });
});
