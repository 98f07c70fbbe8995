/**
 * The vocabulary of the settings tree: each kind of key parses its own notation and carries the words that help texts,
 * fault lines and printed settings need. Defaults are given in the notation a person would write (`.prefault("15m")`).
 */
import { z } from "zod";
import { parseDuration, parseSize } from "../lib/units.ts";

/** What the program knows of a key beyond its type. */
export interface KeyInfo {
  readonly help: string;
  /** What may be given, as the second half of a fault line. */
  readonly allowed: string;
  /** Masked wherever it is shown, and may be given as a `…File`. */
  readonly secret?: true;
  readonly unit?: "duration" | "size" | "instant";
  /** Relative to the settings file that names it; a "file" must be readable at the start. */
  readonly path?: "file" | "directory";
}

const infos = z.registry<KeyInfo>();

export const keyInfo = (schema: z.core.$ZodType): KeyInfo | undefined => infos.get(schema);

const key = <T extends z.ZodType>(schema: T, info: KeyInfo): T => {
  infos.add(schema, info);
  return schema;
};

/** The longest delay of a Node timer: beyond it a timer fires at once. */
const LONGEST_TIMER = 2 ** 31 - 1;

export const text = (help: string, allowed = "a text that is not empty") =>
  key(z.string().min(1), { help, allowed });

export const matching = (help: string, pattern: RegExp, allowed: string) =>
  key(z.string().regex(pattern), { help, allowed });

export const flag = (help: string) => key(z.boolean(), { help, allowed: "true or false" });

export const integer = (help: string, min: number, max = 2 ** 31 - 1) =>
  key(z.int().min(min).max(max), {
    help,
    allowed: max === 2 ** 31 - 1 ? `a whole number, ${min} or more` : `a whole number from ${min} to ${max}`,
  });

export const positive = (help: string) =>
  key(z.number().positive(), { help, allowed: "a number greater than 0" });

export const choice = <const T extends readonly string[]>(help: string, options: T) =>
  key(z.enum(options), { help, allowed: `one of ${options.join(", ")}` });

/** A check of one key: what it allows is said in the key's `allowed`, and a refusal brings no words of its own. */
export const NO_WORDS = { error: "" };

/** Milliseconds, above zero. */
export const duration = (help: string, max = LONGEST_TIMER) =>
  key(
    z
      .union([z.string(), z.number()])
      .transform((input) => parseDuration(input) ?? Number.NaN)
      .pipe(z.int().min(1).max(max)),
    {
      help,
      allowed: `a duration above zero, at most ${Math.floor(max / 86_400_000)}d, such as 500ms, 10s, 15m or 24h`,
      unit: "duration",
    },
  );

/** Bytes, above zero. */
export const size = (help: string) =>
  key(
    z
      .union([z.string(), z.number()])
      .transform((input) => parseSize(input) ?? Number.NaN)
      .pipe(z.int().min(1)),
    { help, allowed: "a size above zero such as 512kb, 4mb (binary) or a number of bytes", unit: "size" },
  );

/** Milliseconds since the epoch. */
export const instant = (help: string) =>
  key(
    z.iso.datetime({ offset: true }).transform((input) => Date.parse(input)),
    { help, allowed: "a time as in 2027-01-01T00:00:00Z", unit: "instant" },
  );

export const secret = (help: string) =>
  key(z.string().min(1), { help, allowed: "a text that is not empty", secret: true });

/** One or two secrets of which any verifies, so that one can be rotated; `…File` holds one a line. */
export const secretPair = (help: string) =>
  key(z.array(z.string().min(1)).min(1).max(2), {
    help,
    allowed: "a list of one or two texts that are not empty",
    secret: true,
  });

export const file = (help: string) =>
  key(z.string().min(1), { help, allowed: "the path of a file that can be read", path: "file" });

export const directory = (help: string) =>
  key(z.string().min(1), { help, allowed: "the path of a directory", path: "directory" });

export const list = <T extends z.ZodType>(help: string, item: T, allowed = "a list") =>
  key(z.array(item), { help, allowed });

export const filledList = <T extends z.ZodType>(help: string, item: T, allowed: string) =>
  key(z.array(item).min(1), { help, allowed });

/** A key whose type is its own business. */
export const special = key;

/** A group of keys: unknown names in it are refused. */
export const section = <T extends z.ZodRawShape>(shape: T) => z.strictObject(shape);
