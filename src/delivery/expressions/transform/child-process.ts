/** Starts the child process of a lane. */
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { createFrameReader } from "./frames.ts";

/** `memory`: a transform has needed too much. */
export type ChildEnd = "memory" | "other";

export interface ChildEvents {
  readonly onFrame: (frame: Buffer) => void;
  /** Called once if the child ends by itself or can't be started, and not after `kill`. */
  readonly onEnd: (end: ChildEnd) => void;
}

export interface Child {
  readonly send: (parts: readonly Buffer[]) => void;
  /** Milliseconds of CPU that the child has used, to 10 ms. undefined: the system doesn't say it. */
  readonly cpuMs: () => number | undefined;
  /** Number of bytes that have arrived. */
  readonly received: () => number;
  readonly kill: () => void;
}

/** `memory`: bytes. */
export type StartChild = (memory: number, events: ChildEvents) => Child;

const PROGRAM = fileURLToPath(new URL("child.js", import.meta.url));

/** Part of the memory that a result may have. */
const RESULT_SHARE = 1 / 8;

/** A heap that is too large ends the process in one of these ways. */
const CRASHES: ReadonlySet<unknown> = new Set(["SIGABRT", "SIGTRAP", "SIGILL", "SIGSEGV", 133, 134]);

/** The fields of user and system time after the name of the program, and the length of their unit. */
const [USER, SYSTEM, MS_PER_TICK] = [11, 12, 10];

const cpuOf = (pid: number | undefined): number | undefined => {
  try {
    const stat = readFileSync(`/proc/${pid ?? ""}/stat`, "latin1");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return (Number(fields[USER]) + Number(fields[SYSTEM])) * MS_PER_TICK;
  } catch {
    return undefined;
  }
};

const argumentsFor = (memory: number): readonly string[] => [
  `--max-old-space-size=${Math.ceil(memory / 1024 ** 2)}`,
  "--disallow-code-generation-from-strings",
  "--disable-proto=delete",
  PROGRAM,
  String(Math.floor(memory * RESULT_SHARE)),
];

/** The child has an empty environment, and its pipes as its only descriptors. */
export const startChild: StartChild = (memory, { onFrame, onEnd }) => {
  const child = spawn(process.execPath, argumentsFor(memory), { env: {}, stdio: ["pipe", "pipe", "ignore"] });
  let received = 0;
  let hasEnded = false;
  const end = (cause: ChildEnd): void => {
    if (hasEnded) return;
    hasEnded = true;
    onEnd(cause);
  };
  const read = createFrameReader((frame) => {
    if (!hasEnded) onFrame(frame);
  });
  child.stdout.on("data", (chunk: Buffer) => {
    received += chunk.length;
    read(chunk);
  });
  // `close` comes after all output, so an answer that was written before the end counts.
  child.on("close", (code, signal) => {
    end(CRASHES.has(signal ?? code) ? "memory" : "other");
  });
  child.on("error", () => {
    end("other");
  });
  // A write to a child that has ended: `close` says so.
  child.stdin.on("error", () => undefined);
  return {
    send: (parts) => {
      child.stdin.cork();
      for (const part of parts) child.stdin.write(part);
      process.nextTick(() => {
        child.stdin.uncork();
      });
    },
    cpuMs: () => cpuOf(child.pid),
    received: () => received,
    kill: () => {
      hasEnded = true;
      child.kill("SIGKILL");
    },
  };
};
