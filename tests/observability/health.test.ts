import { GatewayError } from "../../src/errors.ts";
import { createHealth } from "../../src/observability/health.ts";

const started = (check: () => Promise<void>, cacheMs = 1000) => {
  const time = { now: 0 };
  return { time, health: createHealth({ check, cacheMs, now: () => time.now }) };
};

it("is ready while the check resolves, and checks once within the cache time", async () => {
  let checks = 0;
  const { time, health } = started(() => {
    checks += 1;
    return Promise.resolve();
  });
  await Promise.all([health.ready(), health.ready()]);
  time.now = 999;
  await health.ready();
  expect(checks).toBe(1);
  time.now = 1000;
  await health.ready();
  expect(checks).toBe(2);
});

it("rejects with the failure of the check, and recovers", async () => {
  const away = new TypeError("away");
  let failing = true;
  const { health } = started(() => (failing ? Promise.reject(away) : Promise.resolve()), 0);
  await expect(health.ready()).rejects.toBe(away);
  failing = false;
  await expect(health.ready()).resolves.toEqual({ isSpooling: false });
});

it("is not ready after shutDown", async () => {
  const { health } = started(() => Promise.resolve());
  await health.ready();
  health.shutDown();
  await expect(health.ready()).rejects.toMatchObject({ code: "SHUTTING_DOWN" });
});

it("is ready while the spool has room, whatever the broker says", async () => {
  const spool = { isSpooling: false, hasRoom: true };
  const away = new GatewayError("BROKER_UNAVAILABLE");
  let isAway = true;
  const check = () => (isAway ? Promise.reject(away) : Promise.resolve());
  const health = createHealth({ check, cacheMs: 0, now: () => 0 });
  await expect(health.ready()).rejects.toBe(away);
  health.spoolFrom(() => spool);
  await expect(health.ready()).resolves.toEqual({ isSpooling: true, isSpoolEmpty: true });
  spool.isSpooling = true;
  await expect(health.ready()).resolves.toEqual({ isSpooling: true });
  spool.hasRoom = false;
  await expect(health.ready()).rejects.toMatchObject({ code: "SPOOL_FULL", cause: away });
  isAway = false;
  await expect(health.ready()).resolves.toEqual({ isSpooling: true });
});

it("does not rely on an earlier answer of the broker while the spool has no room", async () => {
  const spool = { isSpooling: true, hasRoom: true };
  const asked: boolean[] = [];
  const health = createHealth({
    check: (asks) => {
      asked.push(asks);
      // A record was stored just before the outage.
      return asks ? Promise.reject(new GatewayError("BROKER_UNAVAILABLE")) : Promise.resolve();
    },
    ...{ cacheMs: 1000, now: () => 0 },
  });
  await expect(health.ready()).resolves.toEqual({ isSpooling: false });
  health.spoolFrom(() => spool);
  spool.hasRoom = false;
  await expect(health.ready()).rejects.toMatchObject({ code: "SPOOL_FULL" });
  await expect(health.ready()).rejects.toMatchObject({ code: "SPOOL_FULL" });
  expect(asked).toEqual([false, true]);
});
