/**
 * The program of the child process in which transforms run. It reads jobs from its input and writes the answers to its output, one
 * after another. The parent kills it when a transform exceeds a limit. `docs/decisions/0013-filters-and-transforms.md` has the protocol.
 */
import { writeSync } from "node:fs";
import { Worker } from "node:worker_threads";
import jsonata, { type Expression } from "jsonata";
import { LRUCache } from "lru-cache";
import { createFrameReader, frameOf, readJobFrame } from "./frames.ts";

/** Bytes. */
const MAX_RESULT = Number(process.argv[2]);

/** A transform that never returns keeps this thread busy, so another thread watches whether the parent is alive. */
const WATCH_PARENT = `
  const parent = process.ppid;
  setInterval(() => {
    if (process.ppid !== parent) process.kill(process.pid, "SIGKILL");
  }, 500);
`;

const expressions = new LRUCache<string, Expression>({ max: 100 });

const compiled = (text: string): Expression => {
  const known = expressions.get(text);
  if (known !== undefined) return known;
  const expression = jsonata(text);
  expression.assign("eval", undefined);
  expressions.set(text, expression);
  return expression;
};

const jsonOf = (value: Buffer): unknown => {
  try {
    return JSON.parse(value.toString("utf8")) as unknown;
  } catch {
    return null;
  }
};

const isFunction = (value: unknown): boolean =>
  typeof value === "function" ||
  (typeof value === "object" &&
    value !== null &&
    ("_jsonata_function" in value || "_jsonata_lambda" in value));

/** Throws if the result can't be JSON. */
const resultOf = (result: unknown): Buffer => {
  const json = JSON.stringify(result, (_, member: unknown) => {
    if (isFunction(member)) throw new TypeError("the result has a function");
    return member;
  }) as string | undefined;
  if (json === undefined) throw new TypeError("it gives no result");
  const bytes = Buffer.from(json);
  if (bytes.length > MAX_RESULT) throw new RangeError(`the result is larger than ${MAX_RESULT} bytes`);
  return bytes;
};

const reasonOf = (error: unknown): string => {
  const { message, code } = error as { readonly message?: unknown; readonly code?: unknown };
  const text = typeof message === "string" ? message : String(error);
  return (typeof code === "string" ? `${text} (${code})` : text).slice(0, 1000);
};

/** Writes all bytes before it returns, so that the parent has the answer before the next transform begins. */
const write = (parts: readonly Buffer[]): void => {
  for (const part of parts) {
    let written = 0;
    while (written < part.length) written += writeSync(1, part, written);
  }
};

/** Every answer says how many milliseconds of CPU the process has used. */
const answer = (kind: "r" | "d" | "f", content: Buffer): void => {
  const { user, system } = process.cpuUsage();
  const head = Buffer.alloc(5, kind);
  head.writeUInt32BE(Math.floor((user + system) / 1000), 1);
  write(frameOf([head, content]));
};

const run = async (frame: Buffer): Promise<void> => {
  const { description, value } = readJobFrame(frame);
  const { expression, variables } = description;
  try {
    const result: unknown = await compiled(expression).evaluate(jsonOf(value), variables);
    answer("d", resultOf(result));
  } catch (error) {
    answer("f", Buffer.from(reasonOf(error)));
  }
};

// The parent decides when the child ends, also if a terminal sends its signals to both.
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => undefined);

let last = Promise.resolve();
process.stdin.on(
  "data",
  createFrameReader((frame) => {
    last = last.then(() => run(frame));
  }),
);
process.stdin.on("close", () => process.exit(0));
new Worker(WATCH_PARENT, { eval: true }).unref();
answer("r", Buffer.alloc(0));
