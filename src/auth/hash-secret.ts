/** `npm run hash-secret`: reads a secret from standard input and prints what may stand for it in the settings. */
import { createInterface } from "node:readline/promises";
import { text } from "node:stream/consumers";
import { Writable } from "node:stream";
import { hashSecret } from "./phc.ts";

const prompted = async (): Promise<string> => {
  process.stderr.write("Secret (not shown): ");
  // What readline would echo goes nowhere.
  const output = new Writable({
    write: (_chunk, _encoding, done) => {
      done();
    },
  });
  const lines = createInterface({ input: process.stdin, output, terminal: true });
  const secret = await lines.question("");
  lines.close();
  process.stderr.write("\n");
  return secret;
};

const piped = async (): Promise<string> => (await text(process.stdin)).replace(/\r?\n$/, "");

const secret = process.stdin.isTTY ? await prompted() : await piped();
if (secret === "") {
  process.stderr.write("The secret is empty.\n");
  process.exitCode = 1;
} else {
  process.stdout.write(`${await hashSecret(secret)}\n`);
}
