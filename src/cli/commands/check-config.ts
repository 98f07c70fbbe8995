/** `stationgate check-config`: checks the settings. */
import type { Command } from "commander";
import { actionOf, withExamples, type Context, type GlobalOptions } from "../define-command.ts";

export const addCheckConfig = (program: Command, context: Context): void => {
  const { shell } = context;
  const command = program
    .command("check-config")
    .description("Check a settings file together with the environment. Prints one line for each fault.")
    .argument("[file]", "settings file (default: STATIONGATE_CONFIG; without it defaults and environment)")
    .action(
      actionOf(context, async ([configFile], { json }: GlobalOptions) => {
        // Imported here because it loads the whole gateway.
        const { checkSettings } = await import("../../main/check.ts");
        const { faults, warnings } = await checkSettings({ configFile, env: shell.env, cwd: shell.cwd });
        const valid = faults.length === 0;
        for (const warning of warnings) shell.note(`warning: ${warning}`);
        if (json === true) await shell.out(JSON.stringify({ valid, faults, warnings }));
        else for (const line of valid ? ["The settings are valid."] : faults) await shell.out(line);
        return valid ? "ok" : "failed";
      }),
    );
  withExamples(command, [
    ["before a rollout", "stationgate check-config stationgate.yaml"],
    ["for a script", "stationgate check-config stationgate.yaml --json | jq -r '.faults[]'"],
  ]);
};
