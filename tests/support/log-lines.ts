/** The log lines of the real program, and waiting for them. */
import { setTimeout } from "node:timers/promises";
import type { Gateway } from "./gateway.ts";

/** The members that tests read. */
export interface LogLine {
  readonly msg: string;
  readonly level?: string;
  readonly pid?: number;
  readonly worker?: number;
  readonly listener?: string;
  readonly host?: string;
  readonly port?: number;
  readonly trigger?: string;
  readonly changed?: readonly string[];
  readonly needsRestart?: readonly string[];
  readonly faults?: readonly string[];
  readonly generation?: number;
  readonly partition?: number;
  readonly offset?: string;
  readonly outcome?: string;
  readonly [member: string]: unknown;
}

/** The complete lines so far; with `msg` only those with this message. */
export const linesOf = (gateway: Gateway, msg?: string): readonly LogLine[] =>
  gateway
    .output()
    .split("\n")
    .filter((line) => line.startsWith("{") && line.endsWith("}"))
    .map((line) => JSON.parse(line) as LogLine)
    .filter((line) => msg === undefined || line.msg === msg);

/** Milliseconds after which a wait is named. */
const LONG_WAIT_MS = 60_000;

/**
 * Resolves when the condition is true. It is checked 20 times in a second. `what` says what the test waits for: a long wait
 * writes it to stderr, because a time-out of jest does not say which wait it was.
 */
export const until = async (condition: () => boolean | Promise<boolean>, what?: string): Promise<void> => {
  const named = what === undefined ? undefined : nameLater(what);
  try {
    while (!(await condition())) await setTimeout(50);
  } finally {
    clearTimeout(named);
  }
};

const nameLater = (what: string): NodeJS.Timeout =>
  globalThis.setTimeout(() => process.stderr.write(`still waiting until ${what}\n`), LONG_WAIT_MS);
