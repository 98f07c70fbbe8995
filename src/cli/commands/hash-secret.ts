/** `stationgate hash-secret`: what may stand for a secret in the settings. */
import type { Command } from "commander";
import { hashSecret } from "../../auth/secrets.ts";
import { ending, withExamples, type Context, type GlobalOptions } from "../context.ts";
import { CommandFailure, readSecret } from "../shell.ts";

export const addHashSecret = (program: Command, context: Context): void => {
  const { shell } = context;
  const command = program
    .command("hash-secret")
    .description("Print the scrypt hash of a secret, which is asked for, or read from standard input.")
    .action(
      ending(context, async (_args, { json }: GlobalOptions) => {
        const secret = await readSecret(shell, "Secret");
        if (secret === "") throw new CommandFailure("failed", "The secret is empty.");
        const hash = await hashSecret(secret);
        await shell.out(json === true ? JSON.stringify({ hash }) : hash);
        return "ok";
      }),
    );
  withExamples(command, [
    ["asked for, and not shown", "stationgate hash-secret"],
    ["from a file", "stationgate hash-secret < connection-token.txt"],
  ]);
};
