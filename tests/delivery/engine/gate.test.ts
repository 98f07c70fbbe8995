import { createTokenBucket, type TokenBucket } from "../../../src/delivery/engine/gate.ts";
import { createFakeClock } from "../../support/fake-clock.ts";

const takeAll = (bucket: TokenBucket): number => {
  let taken = 0;
  while (bucket.take() === 0) taken += 1;
  return taken;
};

describe("a token bucket", () => {
  it("allows the requests of at most one second at once, then the rate", () => {
    const clock = createFakeClock();
    const bucket = createTokenBucket(10, clock);

    expect(takeAll(bucket)).toBe(10);
    expect(bucket.take()).toBe(100);

    clock.advance(300);

    expect(takeAll(bucket)).toBe(3);

    clock.advance(3_600_000);

    expect(takeAll(bucket)).toBe(10);
  });

  it("allows one request per interval if the rate is below one per second", () => {
    const clock = createFakeClock();
    const bucket = createTokenBucket(0.5, clock);

    expect(bucket.take()).toBe(0);
    expect(bucket.take()).toBe(2000);

    clock.advance(2000);

    expect(bucket.take()).toBe(0);
  });
});
