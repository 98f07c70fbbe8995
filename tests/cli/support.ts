/** A shell that records its output, and a client with scripted answers. */
import { PassThrough, Readable, Writable } from "node:stream";
import type { Answer, Call, Client } from "../../src/cli/client.ts";
import { createProgram } from "../../src/cli/program.ts";
import { asFailure, type CommandFailure, createShell, type Exit, type Shell } from "../../src/cli/shell.ts";

export interface FakeShell extends Shell {
  readonly printed: () => string;
  readonly noted: () => string;
  readonly signal: () => void;
  readonly exits: readonly number[];
}

interface FakeShellOptions {
  readonly stdin?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
}

const kept = (): { readonly stream: Writable; readonly text: () => string } => {
  const chunks: string[] = [];
  const stream = new Writable({
    write: (chunk: Buffer, _encoding, done) => {
      chunks.push(chunk.toString());
      done();
    },
  });
  return { stream, text: () => chunks.join("") };
};

export const fakeShell = ({ stdin, env = {}, cwd = "." }: FakeShellOptions = {}): FakeShell => {
  const stdout = kept();
  const stderr = kept();
  const exits: number[] = [];
  let signal = (): void => undefined;
  const shell = createShell({
    stdin: stdin === undefined ? new PassThrough() : Readable.from([Buffer.from(stdin)]),
    stdout: stdout.stream,
    stderr: stderr.stream,
    env,
    cwd,
    onSignal: (listener) => {
      signal = listener;
    },
    exit: (code) => {
      exits.push(code);
    },
  });
  return {
    ...shell,
    printed: stdout.text,
    noted: stderr.text,
    signal: () => {
      signal();
    },
    exits,
  };
};

export const answer = (status: number, body: unknown, headers: Record<string, string> = {}): Answer => ({
  status,
  headers: new Headers(headers),
  text: typeof body === "string" ? body : JSON.stringify(body),
});

/** Answers each call with the result of the script. If the result is an error, the call rejects. */
export const fakeClient = (
  script: (call: Call, index: number) => Answer | Error,
): Client & { readonly calls: Call[] } => {
  const calls: Call[] = [];
  return {
    url: "http://gateway.test",
    calls,
    call: (call) => {
      calls.push(call);
      const result = script(call, calls.length - 1);
      return result instanceof Error ? Promise.reject(result) : Promise.resolve(result);
    },
    open: () => Promise.reject(new Error("the fake client opens no streams")),
  };
};

/** The events of a sent batch. */
export const eventsOf = ({ body }: Call): readonly unknown[] =>
  JSON.parse((body as Buffer).toString()) as unknown[];

/** Runs a command line in this process, Resolves when the command ends. */
export const runInProcess = async (
  shell: FakeShell,
  args: readonly string[],
): Promise<{ readonly exit: Exit; readonly failure: CommandFailure | undefined }> => {
  let exit: Exit = "ok";
  const program = createProgram({
    shell,
    end: (ended) => {
      exit = ended;
    },
  });
  try {
    await program.parseAsync(["node", "stationgate", ...args]);
  } catch (error) {
    const failure = asFailure(error);
    if (failure === undefined) throw error;
    return { exit: failure.exit, failure };
  }
  return { exit, failure: undefined };
};
