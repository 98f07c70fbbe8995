/** The parts that the commands share: their context, actions, examples, and parsers for options. */
import { type Command, InvalidArgumentError, Option } from "commander";
import { parseDuration, parseSize } from "../lib/units.ts";
import type { ConnectionOptions } from "./connection.ts";
import type { Exit, Shell } from "./shell.ts";

export interface GlobalOptions extends ConnectionOptions {
  readonly json?: boolean;
}

export interface Context {
  readonly shell: Shell;
  /** Sets the exit code. */
  readonly end: (exit: Exit) => void;
}

/** Runs a command. `options` include the global options. */
type Action = (args: readonly (string | undefined)[], options: never) => Promise<Exit>;

/** The action of a command in the form that commander calls. */
export const actionOf =
  ({ end }: Context, action: Action) =>
  async (...given: unknown[]): Promise<void> => {
    const command = given.at(-1) as Command;
    const options = command.optsWithGlobals();
    end(await action(command.processedArgs as (string | undefined)[], options as never));
  };

/** Adds examples to the help of a command: pairs of a description and a command line. */
export const withExamples = (command: Command, examples: readonly (readonly [string, string])[]): Command =>
  command.addHelpText(
    "after",
    ["", "Examples:", ...examples.flatMap(([description, line]) => [`  # ${description}`, `  ${line}`])].join(
      "\n",
    ),
  );

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

/** The help shows the default as the text `preset`, such as `1mb`. */
export const sizeOption = (flags: string, description: string, preset: string): Option =>
  new Option(flags, description).argParser(size).default(size(preset), preset);

/** The help shows the default as the text `preset`, such as `1m`. */
export const durationOption = (flags: string, description: string, preset: string): Option =>
  new Option(flags, description).argParser(duration).default(duration(preset), preset);

export const retryOption = (description: string): Option =>
  durationOption("--retry-for <duration>", description, "1m");

/** The parser of a repeatable option. */
export const collect = (text: string, before: readonly string[] = []): readonly string[] => [...before, text];

/** The completions offer the two words; any other text is a time, which the gateway checks. */
export const fromOption = (description: string): Option =>
  new Option("--from <position>", `${description}, or a time (ISO 8601, or milliseconds)`)
    .choices(["latest", "earliest"])
    .argParser((text) => text);

export const filterOption = (): Option =>
  new Option(
    "--filter <pointer==value>",
    "only events with this value at this JSON pointer (can be repeated)",
  ).argParser(collect);
