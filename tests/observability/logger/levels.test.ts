import { createLogLevels } from "../../../src/observability/logger/levels.ts";

it("gives a logger its own level, or the level of its parent", () => {
  const levels = createLogLevels("warn");
  const of = (...names: string[]) => names.map((name) => levels.of(name).level);

  expect(of("root", "delivery", "delivery.crm", "http", "new")).toStrictEqual(Array(5).fill("WARN"));

  levels.set("delivery", "OFF", 1);
  levels.set("delivery.crm", "DEBUG", 2);
  levels.set("root", "ERROR", 3);

  expect(of("root", "delivery", "delivery.crm", "delivery.crm.eu", "http", "new")).toStrictEqual([
    "ERROR",
    "OFF",
    "DEBUG",
    "OFF",
    "ERROR",
    "ERROR",
  ]);
  expect(levels.of("http").last_modified).toBeNull();
  expect(levels.of("delivery.crm").last_modified).toBe(2);
});

it("enables lines at or above the level, and none if it is OFF", () => {
  const levels = createLogLevels("info");
  const enabled = () =>
    (["debug", "info", "error", "fatal"] as const).map((at) => levels.isEnabled("http", at));

  expect(enabled()).toStrictEqual([false, true, true, true]);

  levels.set("http", "OFF", 1);

  expect(enabled()).toStrictEqual([false, false, false, false]);
  expect(levels.nameOf("http")).toBe("silent");
});

it("keeps a bounded number of levels", () => {
  const levels = createLogLevels("silent");
  for (let n = 0; n < 2000; n += 1) levels.set(`logger-${n}`, "INFO", n);

  expect(levels.names).toHaveLength(1004);
  expect(levels.canSet("logger-0")).toBe(true);
  expect(levels.canSet("another")).toBe(false);
  expect(createLogLevels("info").canSet("n".repeat(301))).toBe(false);
});

it("takes another level of the settings in place of the operator's root level, and keeps the other levels", () => {
  const levels = createLogLevels("info");
  levels.set("root", "ERROR", 1);
  levels.set("http", "DEBUG", 2);
  let changes = 0;
  levels.onChange(() => {
    changes += 1;
  });
  levels.rebase("info");

  expect([levels.of("root").level, changes]).toStrictEqual(["ERROR", 0]);

  levels.rebase("warn");

  expect(levels.of("root").level).toBe("WARN");
  expect(levels.of("new").level).toBe("WARN");
  expect(levels.of("http").level).toBe("DEBUG");
  expect(changes).toBe(1);
});
