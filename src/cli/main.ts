#!/usr/bin/env node
/** `stationgate …`: the command line for operators and users of a gateway. */
import { holdHangUps, releaseHangUps } from "../main/hang-up.ts";
import type { Exit } from "./shell.ts";

// The command is known only after the imports: an option can come before it, and another command can have this argument.
if (process.argv.includes("start")) holdHangUps();
const [{ CommanderError }, { asFailure, createShell, EXITS }, { createProgram }] = await Promise.all([
  import("commander"),
  import("./shell.ts"),
  import("./program.ts"),
]);

const shell = createShell({
  stdin: process.stdin,
  stdout: process.stdout,
  stderr: process.stderr,
  env: process.env,
  cwd: process.cwd(),
  onSignal: (listener) => process.on("SIGINT", listener).on("SIGTERM", listener),
  exit: (code) => process.exit(code),
});

const end = (exit: Exit): void => {
  // A gateway that `start` runs sets the exit code itself.
  if (exit !== "ok") process.exitCode = EXITS[exit].code;
};

try {
  await createProgram({ shell, end })
    .hook("preAction", (_program, command) => {
      // Other commands end with their terminal.
      if (command.name() !== "start") releaseHangUps();
    })
    .parseAsync(process.argv);
} catch (error) {
  const failure = asFailure(error);
  if (failure !== undefined) {
    shell.note(failure.message);
    end(failure.exit);
  } else if (error instanceof CommanderError) {
    end(error.exitCode === 0 ? "ok" : "usage");
  } else throw error;
}
