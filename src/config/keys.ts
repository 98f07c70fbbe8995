/**
 * The kinds of keys in the settings tree. Each kind parses its notation and carries the texts for help, faults and printed
 * settings. Defaults are written as in a settings file (`.prefault("15m")`).
 */
import { z } from "zod";
import { formatDuration, parseDuration, parseSize } from "../lib/units.ts";

/** Metadata of a key. */
export interface KeyInfo {
  readonly help: string;
  /** Description of the allowed values: the second half of a fault line. */
  readonly allowed: string;
  /** The value is masked in all outputs and can come from a file (`…File`). */
  readonly secret?: true;
  readonly unit?: "duration" | "size" | "instant";
  /**
   * Paths are relative to the settings file. A "file" must be readable at the start. A "changing file" is read again while the
   * gateway runs, so it may be missing at the start, and a new content is not a change of settings.
   */
  readonly path?: "file" | "changing file" | "directory";
}

const infos = z.registry<KeyInfo>();

export const keyInfo = (schema: z.core.$ZodType): KeyInfo | undefined => infos.get(schema);

const key = <T extends z.ZodType>(schema: T, info: KeyInfo): T => {
  infos.add(schema, info);
  return schema;
};

/** Maximum delay of a Node timer in milliseconds. A timer with a longer delay fires immediately. */
const LONGEST_TIMER = 2 ** 31 - 1;

export const text = (help: string, allowed = "a non-empty string") =>
  key(z.string().min(1), { help, allowed });

export const matching = (help: string, pattern: RegExp, allowed: string) =>
  key(z.string().regex(pattern), { help, allowed });

export const flag = (help: string) => key(z.boolean(), { help, allowed: "true or false" });

export const integer = (help: string, min: number, max = 2 ** 31 - 1) =>
  key(z.int().min(min).max(max), {
    help,
    allowed:
      max === 2 ** 31 - 1 ? `a whole number (${min} or greater)` : `a whole number from ${min} to ${max}`,
  });

export const positive = (help: string) =>
  key(z.number().positive(), { help, allowed: "a number greater than 0" });

export const choice = <const T extends readonly string[]>(help: string, options: T) =>
  key(z.enum(options), { help, allowed: `one of ${options.join(", ")}` });

/** For a refinement of a single key: its fault line shows the key's `allowed` text instead of a message. */
export const NO_MESSAGE = { error: "" };

const milliseconds = (help: string, min: number, max: number, allowed: string) =>
  key(
    z
      .union([z.string(), z.number()])
      .transform((input) => parseDuration(input) ?? Number.NaN)
      .pipe(z.int().min(min).max(max)),
    { help, allowed, unit: "duration" },
  );

/** Parsed to milliseconds, greater than 0. */
export const duration = (help: string, max = LONGEST_TIMER) =>
  milliseconds(
    help,
    1,
    max,
    `a duration greater than 0 and at most ${Math.floor(max / 86_400_000)}d, such as 500ms, 10s, 15m or 24h`,
  );

/** Parsed to milliseconds. Both bounds are in milliseconds and are allowed values. */
export const durationBetween = (help: string, min: number, max: number) =>
  milliseconds(help, min, max, `a duration from ${formatDuration(min)} to ${formatDuration(max)}`);

/** Parsed to bytes, greater than 0. */
export const size = (help: string) =>
  key(
    z
      .union([z.string(), z.number()])
      .transform((input) => parseSize(input) ?? Number.NaN)
      .pipe(z.int().min(1)),
    {
      help,
      allowed: "a size greater than 0, such as 512kb or 4mb (binary units), or a number of bytes",
      unit: "size",
    },
  );

/** Parsed to milliseconds since the epoch. */
export const instant = (help: string) =>
  key(
    z.iso.datetime({ offset: true }).transform((input) => Date.parse(input)),
    { help, allowed: "a time such as 2027-01-01T00:00:00Z", unit: "instant" },
  );

export const secret = (help: string) =>
  key(z.string().min(1), { help, allowed: "a non-empty string", secret: true });

/** One or two secrets, for rotation: either of them verifies. A `…File` has one secret per line. */
export const secretPair = (help: string) =>
  key(z.array(z.string().min(1)).min(1).max(2), {
    help,
    allowed: "a list of one or two non-empty strings",
    secret: true,
  });

export const file = (help: string) =>
  key(z.string().min(1), { help, allowed: "the path of a readable file", path: "file" });

export const changingFile = (help: string) =>
  key(z.string().min(1), { help, allowed: "the path of a file", path: "changing file" });

export const directory = (help: string) =>
  key(z.string().min(1), { help, allowed: "the path of a directory", path: "directory" });

export const list = <T extends z.ZodType>(help: string, item: T, allowed = "a list") =>
  key(z.array(item), { help, allowed });

export const filledList = <T extends z.ZodType>(help: string, item: T, allowed: string) =>
  key(z.array(item).min(1), { help, allowed });

/** Another key, or the word none. */
export const orNone = <T extends z.ZodType>(schema: T) => {
  const info = keyInfo(schema);
  if (info === undefined) throw new TypeError("orNone needs a key");
  return key(z.union([z.literal("none"), schema]), { ...info, allowed: `${info.allowed}, or none` });
};

/** A key with its own zod type. */
export const special = key;

/** A group of keys. Unknown names in it are refused. */
export const section = <T extends z.ZodRawShape>(shape: T) => z.strictObject(shape);
