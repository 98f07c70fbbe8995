/** `stationgate completion`: prints the completion script of a shell. */
import { Argument, type Command } from "commander";
import { bashCompletion } from "./bash.ts";
import { fishCompletion } from "./fish.ts";
import { zshCompletion } from "./zsh.ts";
import { completionPointsOf, type CompletionPoint } from "./words.ts";
import { actionOf, withExamples, type Context } from "../../define-command.ts";

const SCRIPTS: Readonly<Record<string, (points: readonly CompletionPoint[]) => string>> = {
  bash: bashCompletion,
  zsh: zshCompletion,
  fish: fishCompletion,
};

export const addCompletion = (program: Command, context: Context): void => {
  const command = program
    .command("completion")
    .description("Print a shell script that completes commands, options and files.")
    .configureHelp({ showGlobalOptions: false })
    .addArgument(new Argument("<shell>", "name of the shell").choices(Object.keys(SCRIPTS)))
    .action(
      actionOf(context, async ([shell = ""]) => {
        await context.shell.out(SCRIPTS[shell]?.(completionPointsOf(program)) ?? "");
        return "ok";
      }),
    );
  withExamples(command, [
    ["in ~/.bashrc", "source <(stationgate completion bash)"],
    ["in ~/.zshrc, after compinit", "source <(stationgate completion zsh)"],
    ["fish", "stationgate completion fish > ~/.config/fish/completions/stationgate.fish"],
  ]);
};
