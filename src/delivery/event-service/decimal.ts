/** Exact sums of decimal texts, as amounts of money need them. */
const DECIMAL = /^(-?)(\d+)(?:\.(\d+))?$/;

interface Decimal {
  /** The value times ten to the power of `scale`. */
  readonly units: bigint;
  readonly scale: number;
}

const ZERO: Decimal = { units: 0n, scale: 0 };

const parse = (given: unknown): Decimal | undefined => {
  const [, sign, whole = "", fraction = ""] = DECIMAL.exec(typeof given === "string" ? given : "") ?? [];
  if (sign === undefined) return undefined;
  return { units: BigInt(`${sign}${whole}${fraction}`), scale: fraction.length };
};

const unitsAt = ({ units, scale }: Decimal, wanted: number): bigint => units * 10n ** BigInt(wanted - scale);

/** The sum, with as many decimal places as the text with the most. A text that isn't a decimal number counts as zero. */
export const decimalSum = (texts: readonly unknown[]): string => {
  const all = texts.map((text) => parse(text) ?? ZERO);
  const scale = Math.max(0, ...all.map((each) => each.scale));
  const sum = all.reduce((total, each) => total + unitsAt(each, scale), 0n);
  const digits = (sum < 0n ? -sum : sum).toString().padStart(scale + 1, "0");
  const cut = digits.length - scale;
  return `${sum < 0n ? "-" : ""}${digits.slice(0, cut)}${scale === 0 ? "" : `.${digits.slice(cut)}`}`;
};

/** True if both are decimal numbers with the same value: `1.50` equals `1.5`. */
export const sameDecimal = (one: unknown, other: unknown): boolean => {
  const [a, b] = [parse(one), parse(other)];
  if (a === undefined || b === undefined) return false;
  const scale = Math.max(a.scale, b.scale);
  return unitsAt(a, scale) === unitsAt(b, scale);
};
