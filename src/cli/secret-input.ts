/** A secret from whoever runs the command: asked for at a terminal, else from standard input. Never an argument. */
import { createInterface } from "node:readline/promises";
import { Writable } from "node:stream";
import { text } from "node:stream/consumers";
import type { Shell } from "./shell.ts";

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
