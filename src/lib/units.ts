/**
 * Durations and sizes as texts, and the header Retry-After. Durations: `500ms`, `10s`, `15m`, `1.5h`, `30d`; a plain number is
 * milliseconds. Sizes are binary: `4mb` is 4 MiB; a plain number is bytes.
 */

const MILLISECONDS = { d: 86_400_000, h: 3_600_000, m: 60_000, s: 1_000, ms: 1 } as const;
const DURATION = /^(\d+(?:\.\d+)?) ?(ms|s|m|h|d)?$/i;

const isDurationUnit = (unit: string): unit is keyof typeof MILLISECONDS => Object.hasOwn(MILLISECONDS, unit);

/** Whole milliseconds; undefined: the input isn't a duration, or is negative. */
export const parseDuration = (input: string | number): number | undefined => {
  const [, amount, unit = "ms"] = DURATION.exec(String(input)) ?? [];
  const name = unit.toLowerCase();
  if (amount === undefined || !isDurationUnit(name)) return undefined;
  const milliseconds = Math.round(Number(amount) * MILLISECONDS[name]);
  return Number.isSafeInteger(milliseconds) ? milliseconds : undefined;
};

/** The shortest text that `parseDuration` reads back as the same number: 900000 is `15m`. */
export const formatDuration = (milliseconds: number): string => {
  const fits = Object.entries(MILLISECONDS).find(
    ([, size]) => milliseconds >= size && milliseconds % size === 0,
  );
  const [unit, size] = fits ?? ["ms", 1];
  return `${milliseconds / size}${unit}`;
};

const BYTES = { gb: 1024 ** 3, mb: 1024 ** 2, kb: 1024, b: 1 } as const;
const SIZE = /^(\d+(?:\.\d+)?) ?(b|kb|mb|gb)?$/i;

const isSizeUnit = (unit: string): unit is keyof typeof BYTES => Object.hasOwn(BYTES, unit);

/** Whole bytes; undefined: the input isn't a size, or is negative. */
export const parseSize = (input: string | number): number | undefined => {
  const [, amount, unit = "b"] = SIZE.exec(String(input)) ?? [];
  const name = unit.toLowerCase();
  if (amount === undefined || !isSizeUnit(name)) return undefined;
  const bytes = Math.round(Number(amount) * BYTES[name]);
  return Number.isSafeInteger(bytes) ? bytes : undefined;
};

/** The shortest text that `parseSize` reads back as the same number: 4194304 is `4mb`. */
export const formatSize = (bytes: number): string => {
  const fits = Object.entries(BYTES).find(([, size]) => bytes >= size && bytes % size === 0);
  const [unit, size] = fits ?? ["b", 1];
  return `${bytes / size}${unit}`;
};

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
