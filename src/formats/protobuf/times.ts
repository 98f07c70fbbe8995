/** Timestamps, durations and field masks in JSON. */

/** Seconds and nanoseconds. Both have the same sign in a duration; nanoseconds of a timestamp are not negative. */
export interface Instant {
  readonly seconds: bigint;
  readonly nanos: number;
}

const NANOS = 1_000_000_000;
/** From 0001-01-01T00:00:00Z to 9999-12-31T23:59:59Z. */
const FIRST_SECOND = -62_135_596_800n;
const LAST_SECOND = 253_402_300_799n;
/** About 10,000 years. */
const LONGEST_DURATION = 315_576_000_000n;

const CLOCK = "([01]\\d|2[0-3]):([0-5]\\d)";
const RFC_3339 = new RegExp(
  `^(\\d{4})-(\\d\\d)-(\\d\\d)T${CLOCK}:([0-5]\\d)(?:\\.(\\d{1,9}))?(?:Z|([+-])${CLOCK})$`,
  "i",
);
const DURATION = /^(-?)(\d{1,12})(?:\.(\d{1,9}))?s$/;

const nanosOf = (fraction: string | undefined): number => Number((fraction ?? "").padEnd(9, "0"));

/** undefined: no timestamp of RFC 3339 in the years 1 to 9999. */
export const parseTimestamp = (text: string): Instant | undefined => {
  const parts = RFC_3339.exec(text);
  if (parts === null) return undefined;
  const [, year, month, day, hour, minute, second, fraction, sign, hours, minutes] = parts;
  const midnight = secondsAt(Number(year), Number(month), Number(day));
  if (midnight === undefined) return undefined;
  const offset = minutesOf(hours, minutes) * (sign === "-" ? -1 : 1);
  const seconds = midnight + (minutesOf(hour, minute) - offset) * 60 + Number(second);
  const instant = { seconds: BigInt(seconds), nanos: nanosOf(fraction) };
  return isTimestamp(instant) ? instant : undefined;
};

const minutesOf = (hours = "0", minutes = "0"): number => Number(hours) * 60 + Number(minutes);

/** undefined: the calendar has no such day. */
const secondsAt = (year: number, month: number, day: number): number | undefined => {
  const date = new Date(0);
  date.setUTCFullYear(year, month - 1, day);
  return date.getUTCMonth() === month - 1 && date.getUTCDate() === day ? date.getTime() / 1000 : undefined;
};

const isTimestamp = ({ seconds, nanos }: Instant): boolean =>
  seconds >= FIRST_SECOND && seconds <= LAST_SECOND && nanos >= 0 && nanos < NANOS;

/** Digits of a fraction: none, 3, 6 or 9. */
const fractionOf = (nanos: number): string => {
  if (nanos === 0) return "";
  const digits = String(nanos).padStart(9, "0");
  if (digits.endsWith("000000")) return `.${digits.slice(0, 3)}`;
  return digits.endsWith("000") ? `.${digits.slice(0, 6)}` : `.${digits}`;
};

/** undefined: not in the range of a timestamp. */
export const timestampText = (instant: Instant): string | undefined => {
  if (!isTimestamp(instant)) return undefined;
  const date = new Date(Number(instant.seconds) * 1000).toISOString();
  return date.replace(/\.000Z$/, `${fractionOf(instant.nanos)}Z`);
};

/** undefined: no duration, or longer than 10,000 years. */
export const parseDuration = (text: string): Instant | undefined => {
  const parts = DURATION.exec(text);
  if (parts === null) return undefined;
  const [seconds, nanos] = [BigInt(parts[2] ?? "0"), nanosOf(parts[3])];
  const instant = parts[1] === "-" ? { seconds: -seconds, nanos: 0 - nanos } : { seconds, nanos };
  return isDuration(instant) ? instant : undefined;
};

const isDuration = ({ seconds, nanos }: Instant): boolean => {
  if (seconds < -LONGEST_DURATION || seconds > LONGEST_DURATION || Math.abs(nanos) >= NANOS) return false;
  return nanos === 0 || seconds === 0n || nanos > 0 === seconds > 0n;
};

/** undefined: not in the range of a duration. */
export const durationText = (instant: Instant): string | undefined => {
  if (!isDuration(instant)) return undefined;
  const { seconds, nanos } = instant;
  const sign = seconds < 0n || nanos < 0 ? "-" : "";
  return `${sign}${String(seconds).replace("-", "")}${fractionOf(Math.abs(nanos))}s`;
};

/** The path of a field mask in the spelling of the schema; undefined: it is not in the spelling of JSON. */
export const pathFromJson = (path: string): string | undefined =>
  path.includes("_") ? undefined : path.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

/** The path of a field mask in the spelling of JSON; undefined: the way back would give another path. */
export const pathToJson = (path: string): string | undefined => {
  const json = path.replaceAll(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
  return pathFromJson(json) === path ? json : undefined;
};
