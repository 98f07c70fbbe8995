import { settingsOf, workerCount } from "../../src/cluster/supervisor.ts";
import { settingsSchema } from "../../src/config/schema/schema.ts";

const settings = (workers: number | "auto", type: "kafka" | "embedded") =>
  settingsSchema.parse({
    server: { workers },
    broker: { type, kafka: { brokers: ["127.0.0.1:9092"] } },
  });

describe("the number of workers", () => {
  it("is the number in the settings, or one per core", () => {
    expect(workerCount(settings(3, "kafka"), 8)).toStrictEqual({ workers: 3 });
    expect(workerCount(settings("auto", "kafka"), 8)).toStrictEqual({ workers: 8 });
  });

  it.each([4, "auto"] as const)(
    "is one on the embedded log, with a warning if the settings ask for %s",
    (asked) => {
      expect(workerCount(settings(asked, "embedded"), 8)).toStrictEqual({
        workers: 1,
        warning: `server.workers is ${asked}, but the embedded log belongs to one process: one worker serves`,
      });
    },
  );

  it("is one on the embedded log, without a warning if the settings ask for one", () => {
    expect(workerCount(settings(1, "embedded"), 8)).toStrictEqual({ workers: 1 });
  });
});

describe("the settings of a worker", () => {
  const withPort = (port: number) =>
    settingsSchema.parse({ reading: { peer: { port, secret: "a secret" } } });

  it("give each worker a peer port of its own", () => {
    expect([0, 1, 2].map((index) => settingsOf(withPort(4446), index).reading.peer)).toEqual([
      { port: 4446, secret: "a secret" },
      { port: 4447, secret: "a secret" },
      { port: 4448, secret: "a secret" },
    ]);
  });

  it("leave a free port to each worker", () => {
    expect(settingsOf(withPort(0), 2)).toEqual(withPort(0));
  });
});
