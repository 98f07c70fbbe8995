/** Parsers for options: numbers, sizes, durations and lists. */
import { InvalidArgumentError, Option } from "commander";
import { parseDuration, parseSize } from "../lib/units.ts";

const positive = (value: number | undefined, allowed: string): number => {
  if (value === undefined || !Number.isSafeInteger(value) || value < 1)
    throw new InvalidArgumentError(`Allowed: ${allowed}.`);
  return value;
};

export const wholeNumber = (text: string): number =>
  positive(/^\d+$/.test(text) ? Number(text) : undefined, "a whole number (1 or greater)");

const size = (text: string): number => positive(parseSize(text), "a size, such as 512kb or 1mb");

export const duration = (text: string): number =>
  positive(parseDuration(text), "a duration, such as 500ms, 30s or 15m");

/** The help shows the default as it is written here, such as 1mb. */
export const sizeOption = (flags: string, description: string, preset: string): Option =>
  new Option(flags, description).argParser(size).default(size(preset), preset);

export const retryOption = (description: string): Option =>
  new Option("--retry-for <duration>", description).argParser(duration).default(duration("1m"), "1m");

/** An option that may be given several times. */
export const collect = (text: string, before: readonly string[] = []): readonly string[] => [...before, text];

export const grouped = (value: number): string => Math.round(value).toLocaleString("en-US");
