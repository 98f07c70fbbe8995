const MAX_SECONDS = 10 ** 9;

/** Retry-After (RFC 9110, 10.2.3) in milliseconds from `now`: seconds or a date; 0 where it says nothing usable. */
export const retryAfterMs = (value: string | undefined, now: number): number => {
  if (value === undefined) return 0;
  if (/^\d+$/.test(value)) return Math.min(Number(value), MAX_SECONDS) * 1000;
  const date = Date.parse(value);
  return Number.isNaN(date) ? 0 : Math.max(0, date - now);
};
