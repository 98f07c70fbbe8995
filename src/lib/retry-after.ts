const SECONDS = /^\d+(?:\.\d+)?$/;

/**
 * Parses Retry-After (RFC 9110, 10.2.3), seconds or a date, to milliseconds from `now`; 0 if it is absent or invalid. The
 * result may be longer than Node's timers allow, so wait with a `Clock` or `pause`.
 */
export const retryAfterMs = (value: string | null | undefined, now: number): number => {
  if (value === undefined || value === null) return 0;
  const text = value.trim();
  if (SECONDS.test(text)) return Math.min(Number(text) * 1000, Number.MAX_SAFE_INTEGER);
  const date = Date.parse(text);
  return Number.isNaN(date) ? 0 : Math.max(0, date - now);
};
