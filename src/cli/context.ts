/** What every command is made with. */
import type { Command } from "commander";
import type { ConnectionOptions } from "./connection.ts";
import type { Exit, Shell } from "./shell.ts";

export interface GlobalOptions extends ConnectionOptions {
  readonly json?: boolean;
}

export interface Context {
  readonly shell: Shell;
  /** Takes note of how the command has ended. */
  readonly end: (exit: Exit) => void;
}

/** Resolves with how the command has ended. Its options come with the global ones. */
type Action = (args: readonly (string | undefined)[], options: never) => Promise<Exit>;

export const ending =
  ({ end }: Context, action: Action) =>
  async (...given: unknown[]): Promise<void> => {
    const command = given.at(-1) as Command;
    const options = command.optsWithGlobals();
    end(await action(command.processedArgs as (string | undefined)[], options as never));
  };

/** Examples under a command's help, as they are typed. */
export const withExamples = (command: Command, examples: readonly (readonly [string, string])[]): Command =>
  command.addHelpText(
    "after",
    ["", "Examples:", ...examples.flatMap(([what, line]) => [`  # ${what}`, `  ${line}`])].join("\n"),
  );
