import { retryAfterMs } from "../../src/delivery/retry-after.ts";

const NOW = Date.parse("Wed, 21 Oct 2015 07:28:00 GMT");

describe("retryAfterMs", () => {
  it.each([
    ["120", 120_000],
    ["0", 0],
    ["Wed, 21 Oct 2015 07:28:30 GMT", 30_000],
    ["Wed, 21 Oct 2015 07:27:00 GMT", 0],
    ["soon", 0],
    [undefined, 0],
  ])("%s", (value, expected) => {
    expect(retryAfterMs(value, NOW)).toBe(expected);
  });
});
