/** All lines of an input to a station: in their order, each with one outcome, and again where there was none. */
import { pause, systemClock } from "../../../lib/clock.ts";
import type { Client } from "../../client.ts";
import { asFailure, type Exit } from "../../shell.ts";
import { attempt, type Outcome, type Verdict } from "./attempt.ts";
import { gather, type BatchBounds, type Line } from "./lines.ts";

/** Who wants to know what became of the lines. Called in the order of the lines, but for those that were sent again. */
export interface Report {
  stored(lines: readonly Line[]): void;
  refused(line: Line, error: string): Promise<void>;
  /** The delivery ends, and nobody confirmed these. */
  unknown(lines: readonly Line[], error: string): Promise<void>;
  /** So many bytes of the input have their outcomes. */
  progress(bytes: number): void;
  /** Trying again after this time, in milliseconds. */
  waiting(error: string, ms: number): void;
}

export interface DeliveryOptions {
  readonly client: Client;
  readonly station: string;
  readonly bounds: BatchBounds;
  /** Milliseconds without any line finding its outcome after which to give up. */
  readonly retryForMs: number;
  /** Sending ends after the batch that is under way. */
  readonly interruption: AbortSignal;
  readonly report: Report;
}

/** "ok": every line has its outcome, refused ones among them. A batch that is refused whole may cut later ones smaller. */
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
  const { client, station, report, retryForMs, interruption } = options;
  let open = lines;
  let giveUpAt = Date.now() + retryForMs;
  while (open.length > 0) {
    const outcome = await attempted(client, station, open, report);
    if (outcome.kind === "whole") {
      if (outcome.tooLarge) onTooLarge(open.reduce((sum, { text }) => sum + text.length, 0));
      return halve(open, outcome.error, options, onTooLarge);
    }
    const { still, error } = await told(open, outcome.verdicts, report);
    if (still.length === 0) return "all";
    if (still.length < open.length) giveUpAt = Date.now() + retryForMs;
    open = still;
    if (
      !(await another(
        outcome.waitMs,
        giveUpAt,
        () => {
          report.waiting(error, outcome.waitMs);
        },
        interruption,
      ))
    ) {
      await report.unknown(open, error);
      return "lost";
    }
  }
  return "all";
};

/** As `attempt`. Lines whose answer was no gateway's may be stored all the same. */
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

/** Passes on what is known, and tells what is not. */
const told = async (
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

/** Waits for the time of the next attempt; false: there is none. */
const another = async (
  waitMs: number,
  giveUpAt: number,
  onWait: () => void,
  interruption: AbortSignal,
): Promise<boolean> => {
  if (interruption.aborted || Date.now() + waitMs > giveUpAt) return false;
  onWait();
  await pause(systemClock, waitMs, interruption);
  return !interruption.aborted;
};

/** Finds the line that a whole request was refused for: by itself it hears its own error. */
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
