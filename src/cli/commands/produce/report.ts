/** Counts the outcomes of the lines, shows the progress, and prints a summary at the end. */
import cliProgress from "cli-progress";
import type { Exit, Output, Shell } from "../../shell.ts";

import type { Report } from "./deliver.ts";
import type { Line } from "./lines.ts";

interface FileReport extends Report {
  /** Prints the summary and returns the exit. `failure`: the reason if the delivery ended early. */
  finish(end: "ok" | "unreachable" | "interrupted", failure?: string): Promise<Exit>;
  /** Removes the progress bar. */
  close(): void;
}

interface FileReportOptions {
  readonly shell: Shell;
  readonly json: boolean;
  readonly totalBytes: number | undefined;
}

export const createFileReport = ({ shell, json, totalBytes }: FileReportOptions): FileReport => {
  const tally = emptyTally();
  const began = performance.now();
  const elapsedMs = (): number => performance.now() - began;
  const progress = createProgress({ stderr: shell.stderr, tally, totalBytes, elapsedMs });

  /** The last reported reason for waiting. */
  let waitedFor = "";
  const reached = (line: number): void => {
    tally.lastLine = Math.max(tally.lastLine, line);
  };
  const result = (value: object): Promise<void> => shell.out(JSON.stringify(value));

  return {
    stored: (lines) => {
      waitedFor = "";
      tally.stored += lines.length;
      reached(lines.at(-1)?.number ?? 0);
    },
    refused: async ({ number }, error) => {
      tally.refused += 1;
      reached(number);
      if (json) await result({ line: number, status: "refused", error });
      else progress.note(`line ${number}: ${error}`);
    },
    unknown: async (lines, error) => {
      tally.unknown += lines.length;
      reached(lines.at(-1)?.number ?? 0);
      if (!json) progress.note(`not confirmed, perhaps stored: line ${ranges(lines)}: ${error}`);
      else for (const { number } of lines) await result({ line: number, status: "unknown", error });
    },
    progress: (bytes) => {
      tally.bytes = bytes;
      progress.update();
    },
    waiting: (error, ms) => {
      // One line for an outage, not one for each attempt.
      if (error !== waitedFor) progress.note(`${error}; trying again every ${(ms / 1000).toFixed(1)} s`);
      waitedFor = error;
    },
    finish: async (end, failure) => {
      progress.stop();
      const why = failure ?? WHY[end];
      const status = why === undefined ? "done" : "ended";
      if (json) await result({ status, ...tally, elapsedMs: Math.round(elapsedMs()) });
      else await shell.out(summary(tally, elapsedMs()));
      if (why !== undefined) shell.note(`${why}: nothing after line ${tally.lastLine} is stored.`);
      if (end !== "ok") return end;
      return tally.refused > 0 ? "failed" : "ok";
    },
    close: () => {
      progress.stop();
    },
  };
};

const WHY = { ok: undefined, unreachable: "Given up", interrupted: "Interrupted" } as const;

/** The counts of a delivery. */
interface Tally {
  stored: number;
  refused: number;
  /** Lines that were sent but neither confirmed nor refused. */
  unknown: number;
  /** Bytes of the input whose lines have an outcome. */
  bytes: number;
  /** Number of the last line that is stored, refused or not confirmed. Later lines were not sent. */
  lastLine: number;
}

export const emptyTally = (): Tally => ({ stored: 0, refused: 0, unknown: 0, bytes: 0, lastLine: 0 });

const grouped = (value: number): string => Math.round(value).toLocaleString("en-US");

const rateOf = ({ stored }: Tally, elapsedMs: number): number =>
  elapsedMs > 0 ? (stored * 1000) / elapsedMs : 0;

/** Writes line numbers as ranges: `4, 6–9`. */
export const ranges = (lines: readonly Pick<Line, "number">[]): string => {
  const spans: [number, number][] = [];
  for (const { number } of lines) {
    const span = spans.at(-1);
    if (span?.[1] === number - 1) span[1] = number;
    else spans.push([number, number]);
  }
  return spans.map(([from, to]) => (from === to ? String(from) : `${from}–${to}`)).join(", ");
};

/** Only acknowledged lines count as stored. */
export const summary = (tally: Tally, elapsedMs: number): string => {
  const { stored, refused, unknown } = tally;
  const counts = [
    `${grouped(stored)} stored`,
    `${grouped(refused)} refused`,
    ...(unknown > 0 ? [`${grouped(unknown)} not confirmed`] : []),
  ];
  const seconds = (elapsedMs / 1000).toFixed(1);
  return `${counts.join(", ")} in ${seconds} s (${grouped(rateOf(tally, elapsedMs))} events/s)`;
};

/** The progress of a delivery on stderr: a bar at a terminal, otherwise a line from time to time. */
interface Progress {
  /** Shows the current counts. It can be called often. */
  update(): void;
  /** Writes a line above the bar. */
  note(line: string): void;
  stop(): void;
}

interface ProgressOptions {
  readonly stderr: Output;
  readonly tally: Tally;
  /** Size of the input; undefined: unknown. */
  readonly totalBytes: number | undefined;
  /** Milliseconds since the start. */
  readonly elapsedMs: () => number;
  /** Milliseconds between two lines without a terminal. */
  readonly everyMs?: number;
}

const COUNTS = "{stored} stored, {refused} refused, {rate}/s";

const createBar = ({ stderr, tally, totalBytes, elapsedMs }: ProgressOptions): Progress => {
  const bars = new cliProgress.MultiBar(
    {
      stream: stderr,
      hideCursor: true,
      // The command itself handles Ctrl-C. `stop` shows the cursor again.
      gracefulExit: false,
      format: totalBytes === undefined ? COUNTS : `{bar} {percentage}% | ${COUNTS} | {eta_formatted} left`,
    },
    cliProgress.Presets.shades_classic,
  );
  const payload = (): object => ({
    stored: grouped(tally.stored),
    refused: grouped(tally.refused),
    rate: grouped(rateOf(tally, elapsedMs())),
  });
  const bar = bars.create(totalBytes ?? 0, 0, payload());
  return {
    update: () => {
      bar.update(tally.bytes, payload());
    },
    note: (line) => {
      bars.log(`${line}\n`);
    },
    stop: () => {
      bar.update(tally.bytes, payload());
      // Writes the notes that wait for the next frame.
      bars.update();
      bars.stop();
    },
  };
};

const createLines = (options: ProgressOptions): Progress => {
  const { stderr, tally, totalBytes, elapsedMs, everyMs = 10_000 } = options;
  let due = everyMs;
  const note = (line: string): void => {
    stderr.write(`${line}\n`);
  };
  return {
    note,
    update: () => {
      if (elapsedMs() < due) return;
      due = elapsedMs() + everyMs;
      const share = totalBytes ? `${Math.floor((tally.bytes / totalBytes) * 100)}%: ` : "";
      note(share + summary(tally, elapsedMs()));
    },
    stop: () => undefined,
  };
};

export const createProgress = (options: ProgressOptions): Progress =>
  options.stderr.isTTY === true ? createBar(options) : createLines(options);
