/** What can be typed at each place of the command tree, for the completion scripts and the reference. */
import type { Command, Option } from "commander";

export interface Place {
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

const visible = (command: Command): readonly Command[] =>
  command
    .createHelp()
    .visibleCommands(command)
    .filter((inner) => inner.name() !== "help");

export const takesFile = ({ flags }: Option): boolean => /<(file|dir)>/.test(flags);

export const placesOf = (
  program: Command,
  path: readonly string[] = [],
  root = program,
): readonly Place[] => {
  const help = program.createHelp();
  const inner = visible(program);
  const options =
    program === root ? help.visibleOptions(root) : [...help.visibleOptions(program), ...root.options];
  const place: Place = {
    path: path.join(" "),
    commands: inner.map((command) => ({ name: command.name(), description: command.description() })),
    options: options.filter(({ long }, index) => options.findIndex((other) => other.long === long) === index),
    arguments: program.registeredArguments.flatMap(({ argChoices }) => argChoices ?? []),
    takesFile: program.registeredArguments.some((argument) => argument.name() === "file"),
  };
  return [place, ...inner.flatMap((command) => placesOf(command, [...path, command.name()], root))];
};
