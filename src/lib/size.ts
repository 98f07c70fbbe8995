/** Sizes as people write them in settings, in binary units: `4mb` is 4 MiB, a plain number is bytes. */

const BYTES = { gb: 1024 ** 3, mb: 1024 ** 2, kb: 1024, b: 1 } as const;
const SIZE = /^(\d+(?:\.\d+)?) ?(b|kb|mb|gb)?$/i;

const isUnit = (unit: string): unit is keyof typeof BYTES => Object.hasOwn(BYTES, unit);

/** Whole bytes, or undefined where the input is no size (negative ones included). */
export const parseSize = (input: string | number): number | undefined => {
  const [, amount, unit = "b"] = SIZE.exec(String(input)) ?? [];
  const name = unit.toLowerCase();
  if (amount === undefined || !isUnit(name)) return undefined;
  const bytes = Math.round(Number(amount) * BYTES[name]);
  return Number.isSafeInteger(bytes) ? bytes : undefined;
};

/** The shortest text that `parseSize` reads back as the same number: 4194304 is `4mb`. */
export const formatSize = (bytes: number): string => {
  const fits = Object.entries(BYTES).find(([, size]) => bytes >= size && bytes % size === 0);
  const [unit, size] = fits ?? ["b", 1];
  return `${bytes / size}${unit}`;
};
