/** What a command has of the terminal that it was started in. Tests hand in one of their own. */
import { once } from "node:events";
import { createInterface } from "node:readline/promises";
import { type Readable, Writable } from "node:stream";
import { text } from "node:stream/consumers";

type Input = Readable & { readonly isTTY?: boolean | undefined };
export type Output = NodeJS.WritableStream & { readonly isTTY?: boolean | undefined };

export interface Shell {
  readonly stdin: Input;
  readonly stderr: Output;
  readonly outIsTTY: boolean;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  /** A line for whoever asked. Resolves once there is room for the next. */
  out(line: string): Promise<void>;
  /** A line beside the result: what is going on, or went wrong. */
  note(line: string): void;
  /** Aborted by the first SIGINT or SIGTERM after this was asked for; the second one ends the process. */
  interruption(): AbortSignal;
}

interface Streams {
  readonly stdin: Input;
  readonly stdout: Output;
  readonly stderr: Output;
}

interface ShellOptions extends Streams, Pick<Shell, "env" | "cwd"> {
  readonly onSignal: (listener: () => void) => void;
  readonly exit: (code: number) => void;
}

export const createShell = (options: ShellOptions): Shell => {
  const { stdin, stdout, stderr, env, cwd, exit } = options;
  let interrupted: AbortController | undefined;

  // `stationgate tail … | head`: no reason for a stack trace.
  stdout.on("error", (error: NodeJS.ErrnoException) => {
    exit(error.code === "EPIPE" ? EXITS.unheard.code : EXITS.failed.code);
  });
  stderr.on("error", () => {
    // The result may still be wanted where nobody reads what goes on beside it.
  });

  return {
    stdin,
    stderr,
    outIsTTY: stdout.isTTY === true,
    env,
    cwd,
    out: async (line) => {
      if (!stdout.write(`${line}\n`)) await once(stdout, "drain");
    },
    note: (line) => {
      stderr.write(`${line}\n`);
    },
    interruption: () => {
      if (interrupted !== undefined) return interrupted.signal;
      const controller = new AbortController();
      interrupted = controller;
      options.onSignal(() => {
        if (controller.signal.aborted) exit(EXITS.interrupted.code);
        controller.abort();
      });
      return controller.signal;
    },
  };
};

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

/** A secret from whoever runs the command: asked for at a terminal, else from standard input. Never an argument. */

type Terminal = Pick<Shell, "stdin" | "stderr">;

/** Asks on stderr; what is typed is not shown. */
export const promptSecret = async ({ stdin, stderr }: Terminal, question: string): Promise<string> => {
  stderr.write(`${question} (not shown): `);
  // What readline would echo goes nowhere.
  const output = new Writable({
    write: (_chunk, _encoding, done) => {
      done();
    },
  });
  const lines = createInterface({ input: stdin, output, terminal: true });
  const secret = await lines.question("");
  lines.close();
  stderr.write("\n");
  return secret;
};

/** Of what is piped in, all but the last line break. */
export const readSecret = async (terminal: Terminal, question: string): Promise<string> =>
  terminal.stdin.isTTY === true
    ? promptSecret(terminal, question)
    : (await text(terminal.stdin)).replace(/\r?\n$/, "");
