/** Sends all lines of an input to a station in order. Lines without an outcome are sent again. */
import { pause, systemClock } from "../../../lib/clock.ts";
import type { Client } from "../../client.ts";
import { asFailure, type Exit } from "../../shell.ts";
import { attempt, type Outcome, type Verdict } from "./attempt.ts";
import { gather, type BatchBounds, type Line } from "./lines.ts";

/** Receives the outcome of each line, in the order of the lines. The outcome of a repeated line comes later. */
export interface Report {
  stored(lines: readonly Line[]): void;
  refused(line: Line, error: string): Promise<void>;
  /** The delivery ends, and the gateway has not confirmed these lines. */
  unknown(lines: readonly Line[], error: string): Promise<void>;
  /** All lines in the first `bytes` bytes of the input have an outcome. */
  progress(bytes: number): void;
  /** The next attempt begins after `ms` milliseconds. */
  waiting(error: string, ms: number): void;
}

export interface DeliveryOptions {
  readonly client: Client;
  readonly station: string;
  readonly bounds: BatchBounds;
  /** Gives up when no line has got an outcome for this time, in milliseconds. */
  readonly retryForMs: number;
  /** Ends the delivery after the batch in flight. */
  readonly interruption: AbortSignal;
  readonly report: Report;
}

/** "ok": every line is stored or refused. After a batch that was too large, the following batches are smaller. */
export const deliver = async (
  lines: AsyncIterable<readonly Line[]>,
  options: DeliveryOptions,
): Promise<Extract<Exit, "ok" | "unreachable" | "interrupted">> => {
  const { report, interruption } = options;
  const ended = <E extends "ok" | "unreachable">(end: E): E | "interrupted" =>
    interruption.aborted ? "interrupted" : end;
  let { bytes } = options.bounds;
  const onTooLarge = (sent: number): void => {
    bytes = Math.max(1, Math.min(bytes, Math.floor(sent / 2)));
  };
  const batches = gather(lines, () => ({ events: options.bounds.events, bytes }));
  for await (const batch of batches) {
    if (interruption.aborted) return "interrupted";
    for (const line of batch) if (line.fault !== undefined) await report.refused(line, line.fault);
    const left = await settle(
      batch.filter(({ fault }) => fault === undefined),
      options,
      onTooLarge,
    );
    if (left === "lost") return ended("unreachable");
    report.progress(batch.at(-1)?.end ?? 0);
  }
  return ended("ok");
};

type Settled = "all" | "lost";

const settle = async (
  lines: readonly Line[],
  options: DeliveryOptions,
  onTooLarge: (bytes: number) => void,
): Promise<Settled> => {
  const { client, station, report, retryForMs } = options;
  let open = lines;
  let giveUpAt = Date.now() + retryForMs;
  while (open.length > 0) {
    const outcome = await attempted(client, station, open, report);
    if (outcome.kind === "whole") {
      if (outcome.tooLarge) onTooLarge(open.reduce((sum, { text }) => sum + text.length, 0));
      return halve(open, outcome.error, options, onTooLarge);
    }
    const { still, error } = await reported(open, outcome.verdicts, report);
    if (still.length === 0) return "all";
    if (still.length < open.length) giveUpAt = Date.now() + retryForMs;
    open = still;
    if (!(await mayRetry(outcome.waitMs, giveUpAt, error, options))) {
      await report.unknown(open, error);
      return "lost";
    }
  }
  return "all";
};

/**
 * Like `attempt`. Reports the lines as unknown if no gateway wrote the answer, because they can be stored nevertheless.
 */
const attempted = async (
  client: Client,
  station: string,
  lines: readonly Line[],
  report: Report,
): Promise<Outcome> => {
  try {
    return await attempt(client, station, lines);
  } catch (error) {
    const failure = asFailure(error);
    if (failure?.exit === "unreachable") await report.unknown(lines, failure.message);
    throw error;
  }
};

/** Reports the known outcomes. Returns the lines without an outcome, and the reason. */
const reported = async (
  lines: readonly Line[],
  verdicts: readonly Verdict[],
  report: Report,
): Promise<{ readonly still: readonly Line[]; readonly error: string }> => {
  const stored: Line[] = [];
  const still: Line[] = [];
  let error = "";
  for (const [index, line] of lines.entries()) {
    const verdict = verdicts[index];
    if (verdict?.kind === "stored") stored.push(line);
    else if (verdict?.kind === "refused") await report.refused(line, verdict.error);
    else {
      still.push(line);
      error = verdict?.error ?? "";
    }
  }
  if (stored.length > 0) report.stored(stored);
  return { still, error };
};

/** Waits for the next attempt. Resolves to false if the time is over or the delivery is interrupted. */
const mayRetry = async (
  waitMs: number,
  giveUpAt: number,
  error: string,
  { report, interruption }: DeliveryOptions,
): Promise<boolean> => {
  if (interruption.aborted || Date.now() + waitMs > giveUpAt) return false;
  report.waiting(error, waitMs);
  await pause(systemClock, waitMs, interruption);
  return !interruption.aborted;
};

/** Sends the two halves of a refused batch separately, so that only the faulty lines are refused. */
const halve = async (
  lines: readonly Line[],
  error: string,
  options: DeliveryOptions,
  onTooLarge: (bytes: number) => void,
): Promise<Settled> => {
  const [first] = lines;
  if (first === undefined) return "all";
  if (lines.length === 1) {
    await options.report.refused(first, error);
    return "all";
  }
  const middle = Math.ceil(lines.length / 2);
  const settled = await settle(lines.slice(0, middle), options, onTooLarge);
  if (settled === "lost") return settled;
  return settle(lines.slice(middle), options, onTooLarge);
};
