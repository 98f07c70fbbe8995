import type { Clock } from "../../lib/clock.ts";

export interface TokenBucket {
  /** 0: a token was taken; else the milliseconds until there is one. */
  take(): number;
}

/** `perSecond` tokens a second and at most one second's worth at once, though never less than one. */
export const createTokenBucket = (perSecond: number, clock: Clock): TokenBucket => {
  const capacity = Math.max(1, perSecond);
  let tokens = capacity;
  let filledAt = clock.now();
  return {
    take() {
      const now = clock.now();
      tokens = Math.min(capacity, tokens + (Math.max(0, now - filledAt) * perSecond) / 1000);
      filledAt = now;
      if (tokens < 1) return Math.ceil(((1 - tokens) * 1000) / perSecond);
      tokens -= 1;
      return 0;
    },
  };
};
