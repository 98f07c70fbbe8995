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

describe("startFault", () => {
  it("reports an error of the operating system", () => {
    const fault = errorOf(() => {
      mkdirSync("/dev/null/data");
    });
    expect(startFault(fault)?.message).toMatch(/^The start failed: ENOTDIR: .*'\/dev\/null\/data'$/);
  });

  it("returns a fault of the settings unchanged", () => {
    const fault = new GatewayError("SETTINGS_INVALID", { message: "server.port: got 1" });
    expect(startFault(fault)).toBe(fault);
  });

  it.each([new TypeError("x is undefined"), Object.assign(new Error("no"), { code: "ERR_ASSERTION" }), "no"])(
    "returns undefined for a bug: %s",
    (error) => {
      expect(startFault(error)).toBeUndefined();
    },
  );
});
