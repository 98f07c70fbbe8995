/** What a command has of the terminal that it was started in. Tests hand in one of their own. */
import { once } from "node:events";
import type { Readable } from "node:stream";
import { EXITS } from "./exits.ts";

export type Input = Readable & { readonly isTTY?: boolean | undefined };
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

export interface Streams {
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
