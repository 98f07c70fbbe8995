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
  await expect(health.ready()).resolves.toBeUndefined();
});

it("is not ready after shutDown", async () => {
  const { health } = started(() => Promise.resolve());
  await health.ready();
  health.shutDown();
  await expect(health.ready()).rejects.toMatchObject({ code: "SHUTTING_DOWN" });
});
