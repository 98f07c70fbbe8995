/** How a command can end: the exit codes, in one table, as `docs/guides/cli.md` and each help have them. */

export const EXITS = {
  ok: { code: 0, meaning: "done" },
  failed: { code: 1, meaning: "some events, or the operation, were refused; the settings are not valid" },
  usage: { code: 2, meaning: "the command line is wrong, or names a file that can't be read" },
  unreachable: { code: 3, meaning: "the gateway can't be reached, or can't store or answer now" },
  forbidden: { code: 4, meaning: "the credential is missing, wrong, or not enough" },
  interrupted: { code: 130, meaning: "interrupted by Ctrl-C before it was done" },
  unheard: { code: 141, meaning: "whoever read the output has gone" },
} as const satisfies Record<string, { readonly code: number; readonly meaning: string }>;

export type Exit = keyof typeof EXITS;

/** Ends a command with one line on stderr. */
export class CommandFailure extends Error {
  override readonly name = "CommandFailure";
  readonly exit: Exit;

  constructor(exit: Exit, message: string, cause?: unknown) {
    super(message, { cause });
    this.exit = exit;
  }
}

export const asFailure = (error: unknown): CommandFailure | undefined =>
  error instanceof CommandFailure ? error : undefined;
