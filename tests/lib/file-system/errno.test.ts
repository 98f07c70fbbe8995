import { readFileSync } from "node:fs";
import { errnoOf } from "../../../src/lib/file-system.ts";

const thrownBy = (act: () => unknown): unknown => {
  try {
    return act();
  } catch (error) {
    return error;
  }
};

describe("errnoOf", () => {
  it("returns the error code of the system", () => {
    expect(errnoOf(thrownBy(() => readFileSync("/no/such/file")))).toBe("ENOENT");
  });

  it.each([undefined, null, "ENOENT", new Error("no code"), { code: 7 }])(
    "returns undefined for %p",
    (error) => {
      expect(errnoOf(error)).toBeUndefined();
    },
  );
});
