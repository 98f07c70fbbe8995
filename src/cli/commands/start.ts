/** `stationgate start`: runs the gateway, like `node dist/main.js`. */
import type { Command } from "commander";
import type { Arguments } from "../../config/arguments.ts";
import { actionOf, withExamples, type Context } from "../define-command.ts";

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
    .description("Run a gateway in the foreground. Without settings it uses an embedded log in ./data.")
    .configureHelp({ showGlobalOptions: false })
    .option(
      "--config <file>",
      "settings file (default: STATIONGATE_CONFIG; without it defaults and environment)",
    )
    .option("--check-config", "check the settings and exit")
    .option("--print-config", "print the effective settings with masked secrets and exit")
    .option("--print-env-example", "print all environment variables with their defaults and exit")
    .action(
      actionOf(context, async (_args, options: Options) => {
        // Imported here because it loads the whole gateway.
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
