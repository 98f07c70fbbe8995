/** What can be typed at each place of the command tree, for the completion scripts and the reference. */
import type { Command, Option } from "commander";

export interface CompletionPoint {
  /** The commands that lead here: "" is the program itself, "connectors apply" a command of a command. */
  readonly path: string;
  readonly commands: readonly { readonly name: string; readonly description: string }[];
  /** Its own, and those that hold everywhere. */
  readonly options: readonly Option[];
  /** Words that an argument of it can be. */
  readonly arguments: readonly string[];
  /** An argument of it is a file. */
  readonly takesFile: boolean;
}

export interface OptionWithValue {
  /** Its long form. */
  readonly flag: string;
  readonly choices: readonly string[] | undefined;
  readonly takesFile: boolean;
}

const visible = (command: Command): readonly Command[] =>
  command
    .createHelp()
    .visibleCommands(command)
    .filter((inner) => inner.name() !== "help");

/** Those of all places that take a value, which is the next word: an option means the same wherever it stands. */
export const optionsWithValue = (places: readonly CompletionPoint[]): readonly OptionWithValue[] => {
  const options = places.flatMap(({ options: own }) => own).filter(({ required }) => required);
  return options
    .map((option) => ({ flag: option.long ?? "", choices: option.argChoices, takesFile: takesFile(option) }))
    .filter(({ flag }, index, all) => all.findIndex((other) => other.flag === flag) === index);
};

/** What leads to a place that isn't the program itself. */
export const pathsOf = (places: readonly CompletionPoint[]): readonly string[] =>
  places.map(({ path }) => path).filter((path) => path !== "");

export const takesFile = ({ flags }: Option): boolean => /<(file|dir)>/.test(flags);

export const completionPointsOf = (
  program: Command,
  path: readonly string[] = [],
  root = program,
): readonly CompletionPoint[] => {
  const help = program.createHelp();
  const inner = visible(program);
  const options =
    program === root ? help.visibleOptions(root) : [...help.visibleOptions(program), ...root.options];
  const place: CompletionPoint = {
    path: path.join(" "),
    commands: inner.map((command) => ({ name: command.name(), description: command.description() })),
    options: options.filter(({ long }, index) => options.findIndex((other) => other.long === long) === index),
    arguments: program.registeredArguments.flatMap(({ argChoices }) => argChoices ?? []),
    takesFile: program.registeredArguments.some((argument) => argument.name() === "file"),
  };
  return [place, ...inner.flatMap((command) => completionPointsOf(command, [...path, command.name()], root))];
};
