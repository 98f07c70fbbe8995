import { createHealth } from "../../src/observability/health.ts";

const started = (check: () => Promise<void>, cacheMs = 1000) => {
  const time = { now: 0 };
  return { time, health: createHealth({ check, cacheMs, now: () => time.now }) };
};

it("is ready while the check resolves, and asks once for all who ask within the cache's time", async () => {
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

it("passes the check's failure on, and recovers", async () => {
  const away = new TypeError("away");
  let failing = true;
  const { health } = started(() => (failing ? Promise.reject(away) : Promise.resolve()), 0);
  await expect(health.ready()).rejects.toBe(away);
  failing = false;
  await expect(health.ready()).resolves.toBeUndefined();
});

it("is never ready again once it is going down", async () => {
  const { health } = started(() => Promise.resolve());
  await health.ready();
  health.shutDown();
  await expect(health.ready()).rejects.toMatchObject({ code: "SHUTTING_DOWN" });
});
