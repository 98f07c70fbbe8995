/** Durations as people write them in settings: `500ms`, `10s`, `15m`, `1.5h`, `30d`; a plain number is milliseconds. */

const MILLISECONDS = { d: 86_400_000, h: 3_600_000, m: 60_000, s: 1_000, ms: 1 } as const;
const DURATION = /^(\d+(?:\.\d+)?) ?(ms|s|m|h|d)?$/i;

const isUnit = (unit: string): unit is keyof typeof MILLISECONDS => Object.hasOwn(MILLISECONDS, unit);

/** Whole milliseconds, or undefined where the input is no duration (negative ones included). */
export const parseDuration = (input: string | number): number | undefined => {
  const [, amount, unit = "ms"] = DURATION.exec(String(input)) ?? [];
  const name = unit.toLowerCase();
  if (amount === undefined || !isUnit(name)) return undefined;
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
