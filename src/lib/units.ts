/**
 * Durations and sizes as texts, and the header Retry-After. Durations: `500ms`, `10s`, `15m`, `1.5h`, `30d`; a plain
 * number is milliseconds. Sizes are binary: `4mb` is 4 MiB; a plain number is bytes.
 */

type Units = ReadonlyMap<string, number>;

const DURATIONS: Units = new Map([
  ["d", 86_400_000],
  ["h", 3_600_000],
  ["m", 60_000],
  ["s", 1_000],
  ["ms", 1],
]);

const SIZES: Units = new Map([
  ["gb", 1024 ** 3],
  ["mb", 1024 ** 2],
  ["kb", 1024],
  ["b", 1],
]);

const AMOUNT = /^(\d+(?:\.\d+)?) ?([a-z]*)$/i;

/** A text without a unit is in the smallest unit. */
const parse = (units: Units, input: string | number): number | undefined => {
  const [, amount, unit = ""] = AMOUNT.exec(String(input)) ?? [];
  const factor = unit === "" ? 1 : units.get(unit.toLowerCase());
  if (amount === undefined || factor === undefined) return undefined;
  const value = Math.round(Number(amount) * factor);
  return Number.isSafeInteger(value) ? value : undefined;
};

const format = (units: Units, value: number, smallest: string): string => {
  const [unit, factor] = [...units].find(([, size]) => value >= size && value % size === 0) ?? [smallest, 1];
  return `${value / factor}${unit}`;
};

/** Whole milliseconds; undefined: the input isn't a duration, or is negative. */
export const parseDuration = (input: string | number): number | undefined => parse(DURATIONS, input);

/** The shortest text that `parseDuration` reads back as the same number: 900000 is `15m`. */
export const formatDuration = (milliseconds: number): string => format(DURATIONS, milliseconds, "ms");

/** Whole bytes; undefined: the input isn't a size, or is negative. */
export const parseSize = (input: string | number): number | undefined => parse(SIZES, input);

/** The shortest text that `parseSize` reads back as the same number: 4194304 is `4mb`. */
export const formatSize = (bytes: number): string => format(SIZES, bytes, "b");

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
