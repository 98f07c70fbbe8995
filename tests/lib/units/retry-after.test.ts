import { retryAfterMs } from "../../../src/lib/units.ts";

const NOW = Date.parse("Wed, 21 Oct 2015 07:28:00 GMT");
const DAY = 86_400_000;

describe("retryAfterMs", () => {
  it.each([
    ["120", 120_000],
    ["0", 0],
    ["0.01", 10],
    [" 5 ", 5000],
    ["Wed, 21 Oct 2015 07:28:30 GMT", 30_000],
    ["Wed, 21 Oct 2015 07:27:00 GMT", 0],
    ["2592000", 30 * DAY],
    ["Fri, 20 Nov 2015 07:28:00 GMT", 30 * DAY],
    ["9".repeat(400), Number.MAX_SAFE_INTEGER],
    ["-5", 0],
    ["soon", 0],
    ["", 0],
    [undefined, 0],
    [null, 0],
  ])("%s", (value, expected) => {
    expect(retryAfterMs(value, NOW)).toBe(expected);
  });
});
