import { mkdirSync } from "node:fs";
import { startFault } from "../../../src/app/start-faults.ts";
import { GatewayError } from "../../../src/errors.ts";

const errorOf = (task: () => unknown): unknown => {
  try {
    return task();
  } catch (error) {
    return error;
  }
};

describe("why a start failed", () => {
  it("names what the system refuses", () => {
    const fault = errorOf(() => {
      mkdirSync("/dev/null/data");
    });
    expect(startFault(fault)?.message).toMatch(/^The start failed: ENOTDIR: .*'\/dev\/null\/data'$/);
  });

  it("keeps the words of a fault of the settings", () => {
    const fault = new GatewayError("SETTINGS_INVALID", { message: "server.port: got 1" });
    expect(startFault(fault)).toBe(fault);
  });

  it.each([new TypeError("x is undefined"), Object.assign(new Error("no"), { code: "ERR_ASSERTION" }), "no"])(
    "leaves a fault of the program its stack: %s",
    (error) => {
      expect(startFault(error)).toBeUndefined();
    },
  );
});
