/** The terminal of a command, the exit codes, and prompts for secrets. Tests hand in a fake shell. */
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
  /** Writes a line of the result to stdout. Resolves when stdout can take the next line. */
  out(line: string): Promise<void>;
  /** Writes a progress or error line to stderr. */
  note(line: string): void;
  /** Aborted by the first SIGINT or SIGTERM after the first call. The second signal ends the process. */
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

  // `stationgate tail … | head` closes stdout: no stack trace.
  stdout.on("error", (error: NodeJS.ErrnoException) => {
    exit(error.code === "EPIPE" ? EXITS.unheard.code : EXITS.failed.code);
  });
  stderr.on("error", () => {
    // A closed stderr doesn't end the command: stdout may still be read.
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

/** The exit codes. The help texts and docs/reference/cli.md are generated from this table. */
export const EXITS = {
  ok: { code: 0, meaning: "done" },
  failed: { code: 1, meaning: "the operation or some events were refused, or the settings are invalid" },
  usage: { code: 2, meaning: "the command line is invalid, or a file can't be read" },
  unreachable: { code: 3, meaning: "the gateway is unreachable or temporarily unavailable" },
  forbidden: { code: 4, meaning: "the credential is missing, wrong or insufficient" },
  interrupted: { code: 130, meaning: "interrupted by Ctrl-C" },
  unheard: { code: 141, meaning: "the reader of the output has closed it" },
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

/** Where secrets come from: a prompt or standard input, never an argument. */
type Terminal = Pick<Shell, "stdin" | "stderr">;

/** Prompts on stderr without echo. */
export const promptSecret = async ({ stdin, stderr }: Terminal, question: string): Promise<string> => {
  stderr.write(`${question} (not shown): `);
  // Discards readline's echo.
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

/** Reads a secret from a prompt, or from standard input without its last line break. */
export const readSecret = async (terminal: Terminal, question: string): Promise<string> =>
  terminal.stdin.isTTY === true
    ? promptSecret(terminal, question)
    : (await text(terminal.stdin)).replace(/\r?\n$/, "");
