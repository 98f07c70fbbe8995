import { uuidV7 } from "../../src/lib/uuid.ts";

describe("a UUID of version 7", () => {
  it("has the time, the version and the variant", () => {
    // The example of RFC 9562, appendix A.6.
    const time = Date.UTC(2022, 1, 22, 19, 22, 22);
    expect(uuidV7(time)).toMatch(/^017f22e2-79b0-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  });

  it("differs each time, and sorts by its time", () => {
    const ids = Array.from({ length: 100 }, (_, i) => uuidV7(1_700_000_000_000 + i));
    expect(ids.toSorted()).toEqual(ids);
    expect(new Set(Array.from({ length: 100 }, () => uuidV7(0))).size).toBe(100);
  });
});
