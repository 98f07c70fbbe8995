/** `stationgate hash-secret`: prints a hash that replaces a secret in the settings. */
import type { Command } from "commander";
import { hashSecret } from "../../auth/secrets.ts";
import { actionOf, withExamples, type Context, type GlobalOptions } from "../define-command.ts";
import { CommandFailure, readSecret } from "../shell.ts";

export const addHashSecret = (program: Command, context: Context): void => {
  const { shell } = context;
  const command = program
    .command("hash-secret")
    .description("Print the scrypt hash of a secret. The secret comes from a prompt or from standard input.")
    .action(
      actionOf(context, async (_args, { json }: GlobalOptions) => {
        const secret = await readSecret(shell, "Secret");
        if (secret === "") throw new CommandFailure("failed", "The secret is empty.");
        const hash = await hashSecret(secret);
        await shell.out(json === true ? JSON.stringify({ hash }) : hash);
        return "ok";
      }),
    );
  withExamples(command, [
    ["from a prompt, without echo", "stationgate hash-secret"],
    ["from a file", "stationgate hash-secret < connection-token.txt"],
  ]);
};
