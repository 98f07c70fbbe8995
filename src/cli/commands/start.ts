/** `stationgate start`: the gateway itself, as `node dist/main.js` runs it. */
import type { Command } from "commander";
import type { Arguments } from "../../config/arguments.ts";
import { ending, withExamples, type Context } from "../context.ts";

interface Options {
  readonly config?: string;
  readonly checkConfig?: boolean;
  readonly printConfig?: boolean;
  readonly printEnvExample?: boolean;
}

const commandOf = (options: Options): Arguments["command"] => {
  if (options.printEnvExample === true) return "print-env-example";
  if (options.printConfig === true) return "print-config";
  return options.checkConfig === true ? "check-config" : "serve";
};

export const addStart = (program: Command, context: Context): void => {
  const command = program
    .command("start")
    .description("Run a gateway in the foreground; without settings with a log of its own in ./data.")
    .configureHelp({ showGlobalOptions: false })
    .option("--config <file>", "settings file (else STATIONGATE_CONFIG, else defaults and environment)")
    .option("--check-config", "say whether the settings are valid, and stop")
    .option("--print-config", "print the effective settings with secrets masked, and stop")
    .option("--print-env-example", "print every environment variable with its default, and stop")
    .action(
      ending(context, async (_args, options: Options) => {
        // Loaded late: it is the whole gateway.
        const { runProcess } = await import("../../main/run.ts");
        await runProcess(() => ({ command: commandOf(options), configFile: options.config }));
        return "ok";
      }),
    );
  withExamples(command, [
    ["on a laptop, without Kafka", "stationgate start"],
    ["with settings", "stationgate start --config stationgate.yaml"],
  ]);
};
