/** Numbers and times for people. */

const whole = new Intl.NumberFormat(undefined, { maximumFractionDigits: 0 });
const fine = new Intl.NumberFormat(undefined, { maximumFractionDigits: 1 });

/** @param {number | null | undefined} value */
export const count = (value) => (value === null || value === undefined ? "–" : whole.format(value));

/** @param {number} perSecond */
export const rate = (perSecond) => `${(perSecond < 100 ? fine : whole).format(perSecond)}/s`;

/** @param {{ perSecond: number, total: number } | undefined} counted */
export const rateAndTotal = (counted) => `${rate(counted?.perSecond ?? 0)} (${count(counted?.total ?? 0)})`;

/** @param {number} seconds */
export const duration = (seconds) => {
  if (seconds < 1) return `${fine.format(seconds * 1000)} ms`;
  if (seconds < 120) return `${fine.format(seconds)} s`;
  return seconds < 7200 ? `${whole.format(seconds / 60)} min` : `${fine.format(seconds / 3600)} h`;
};

const UNITS = ["B", "KiB", "MiB", "GiB", "TiB"];

/** @param {number} value */
export const bytes = (value) => {
  const power = value < 1 ? 0 : Math.min(UNITS.length - 1, Math.floor(Math.log2(value) / 10));
  return `${fine.format(value / 1024 ** power)} ${UNITS[power]}`;
};

/**
 * The producer sets a record's time, so the time can be outside the calendar.
 * @param {number} milliseconds
 */
export const isoTime = (milliseconds) => {
  const date = new Date(milliseconds);
  return Number.isNaN(date.getTime()) ? undefined : date.toISOString();
};

/** @param {number} milliseconds */
export const clockTime = (milliseconds) => {
  const date = new Date(milliseconds);
  if (Number.isNaN(date.getTime())) return `${milliseconds} ms`;
  const day = date.toDateString() === new Date().toDateString() ? "" : `${date.toLocaleDateString()} `;
  return `${day}${date.toTimeString().slice(0, 8)}.${String(date.getMilliseconds()).padStart(3, "0")}`;
};
