import { envelope, retryAfter } from "../../sdk/src/transport.ts";
import { uuidv7 } from "../../sdk/src/uuid.ts";

describe("retryAfter", () => {
  const now = Date.UTC(2026, 0, 1);

  it.each([
    ["0", 0],
    ["120", 120_000],
    ["Thu, 01 Jan 2026 00:01:00 GMT", 60_000],
    ["Wed, 31 Dec 2025 23:59:59 GMT", undefined],
    ["soon", undefined],
    ["-1", undefined],
    ["", undefined],
    [null, undefined],
  ])("%s is %s ms", (value, ms) => {
    expect(retryAfter(value, now)).toBe(ms);
  });
});

describe("envelope", () => {
  it("is JSON and contains each event unchanged", () => {
    const text = envelope([{ id: "a", json: '{"n":1.0}', bytes: 9 }], { token: 'quo"te' });
    expect(text).toBe(
      '{"token":"quo\\"te","prefer":"return=representation","events":[{"id":"a","event":{"n":1.0}}]}',
    );
  });
});

describe("uuidv7", () => {
  it("contains the time, the version and the variant", () => {
    const id = uuidv7(0x0123_4567_89ab);
    expect(id).toMatch(/^01234567-89ab-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    expect(uuidv7(0x0123_4567_89ab)).not.toBe(id);
  });

  it("sorts by time", () => {
    const ids = [1, 255, 256, 1_760_000_000_000, 2 ** 47].map((at) => uuidv7(at));
    expect([...ids].sort()).toEqual(ids);
  });
});
