/** The sandbox: runs transforms in child processes, and stops those that exceed a limit. */
import { LRUCache } from "lru-cache";
import type { Clock } from "../../../lib/clock.ts";
import type { Event } from "../event.ts";
import type { StartChild } from "./child-process.ts";
import { type Description, jobFrame } from "./frames.ts";
import { createLane, type JobEnd, type SandboxLimits } from "./lane.ts";
import { createPauses } from "./pauses.ts";

export type Transformed =
  | { readonly status: "done"; readonly json: Buffer }
  /** The record can't be transformed. */
  | { readonly status: "failed"; readonly reason: string }
  /** The expression was stopped before. It may run again after `ms` milliseconds. */
  | { readonly status: "paused"; readonly ms: number };

export interface Sandbox {
  /**
   * `value`: the bytes of the value. Rejects with INTERNAL if no child process can be started, and with SHUTTING_DOWN after
   * `close`.
   */
  run(expression: string, event: Event, value: Buffer | null): Promise<Transformed>;
  close(): void;
}

export interface SandboxOptions {
  readonly limits: SandboxLimits;
  readonly clock: Clock;
  readonly startChild: StartChild;
}

/** An expression is proven after this number of runs without a stop. */
const PROVEN_RUNS = 10;
const MAX_EXPRESSIONS = 10_000;

const descriptionOf = (expression: string, event: Event): Description => {
  const { topic, key, partition, offset, headers, time, eventType } = event;
  return {
    expression,
    variables: {
      ...{ topic, key, partition, headers, eventType },
      offset: Number(offset),
      time: time.toISOString(),
    },
  };
};

export const createSandbox = (options: SandboxOptions): Sandbox => {
  const lanes = { proven: createLane(options), others: createLane(options) };
  const pauses = createPauses(options.clock);
  /** Number of runs since the expression was stopped. */
  const runs = new LRUCache<string, number>({ max: MAX_EXPRESSIONS });

  const laneOf = (expression: string) =>
    (runs.get(expression) ?? 0) >= PROVEN_RUNS ? lanes.proven : lanes.others;

  const ended = (expression: string, end: JobEnd): Transformed => {
    if (end.status === "paused") return { status: "paused", ms: pauses.remaining(expression) };
    if (end.status === "stopped") {
      pauses.stopped(expression);
      runs.delete(expression);
      return { status: "failed", reason: end.reason };
    }
    runs.set(expression, (runs.get(expression) ?? 0) + 1);
    return end;
  };

  return {
    run: (expression, event, value) =>
      new Promise((resolve, reject) => {
        const ms = pauses.remaining(expression);
        if (ms > 0) {
          resolve({ status: "paused", ms });
          return;
        }
        laneOf(expression).run({
          frame: () => jobFrame(descriptionOf(expression, event), value),
          bytes: expression.length + (value?.length ?? 0),
          isPaused: () => pauses.remaining(expression) > 0,
          settle: (end) => {
            resolve(ended(expression, end));
          },
          reject,
        });
      }),
    close: () => {
      lanes.proven.close();
      lanes.others.close();
    },
  };
};
