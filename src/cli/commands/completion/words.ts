/** The completions for each command, for the completion scripts and the reference. */
import type { Command, Option } from "commander";

export interface CompletionPoint {
  /** Names of the command and its parents: "" is the program itself, "connectors apply" a subcommand. */
  readonly path: string;
  readonly commands: readonly { readonly name: string; readonly description: string }[];
  /** The command's options and the global options. */
  readonly options: readonly Option[];
  /** Allowed words of its arguments. */
  readonly arguments: readonly string[];
  /** true: an argument is a file. */
  readonly takesFile: boolean;
}

export interface OptionWithValue {
  /** Long form, such as `--file`. */
  readonly flag: string;
  readonly choices: readonly string[] | undefined;
  readonly takesFile: boolean;
}

const visible = (command: Command): readonly Command[] =>
  command
    .createHelp()
    .visibleCommands(command)
    .filter((inner) => inner.name() !== "help");

/** All options that take a value (the next word). An option has the same meaning in all commands. */
export const optionsWithValue = (points: readonly CompletionPoint[]): readonly OptionWithValue[] => {
  const options = points.flatMap(({ options: own }) => own).filter(({ required }) => required);
  return options
    .map((option) => ({ flag: option.long ?? "", choices: option.argChoices, takesFile: takesFile(option) }))
    .filter(({ flag }, index, all) => all.findIndex((other) => other.flag === flag) === index);
};

/** The paths of all commands except the program itself. */
export const pathsOf = (points: readonly CompletionPoint[]): readonly string[] =>
  points.map(({ path }) => path).filter((path) => path !== "");

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
  const point: CompletionPoint = {
    path: path.join(" "),
    commands: inner.map((command) => ({ name: command.name(), description: command.description() })),
    options: options.filter(({ long }, index) => options.findIndex((other) => other.long === long) === index),
    arguments: program.registeredArguments.flatMap(({ argChoices }) => argChoices ?? []),
    takesFile: program.registeredArguments.some((argument) => argument.name() === "file"),
  };
  return [point, ...inner.flatMap((command) => completionPointsOf(command, [...path, command.name()], root))];
};
