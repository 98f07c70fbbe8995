const SECONDS = /^\d+(?:\.\d+)?$/;

/**
 * Retry-After (RFC 9110, 10.2.3) in milliseconds from `now`: seconds or a date; 0 where it says nothing usable. The wait
 * may be longer than one of Node's timers: it needs a `Clock` or `pause`.
 */
export const retryAfterMs = (value: string | null | undefined, now: number): number => {
  if (value === undefined || value === null) return 0;
  const text = value.trim();
  if (SECONDS.test(text)) return Math.min(Number(text) * 1000, Number.MAX_SAFE_INTEGER);
  const date = Date.parse(text);
  return Number.isNaN(date) ? 0 : Math.max(0, date - now);
};
