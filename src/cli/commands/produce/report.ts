/** What becomes of each line: counted, shown as it goes, and told at the end. */
import progress from "cli-progress";
import type { Exit, Output, Shell } from "../../shell.ts";
import { grouped } from "../../values.ts";
import type { Report } from "./deliver.ts";
import type { Line } from "./lines.ts";

interface FileReport extends Report {
  /** The last words; the exit that they mean. `failure` is why the delivery ended early. */
  finish(end: "ok" | "unreachable" | "interrupted", failure?: string): Promise<Exit>;
  /** Takes the bar away. */
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
      // Of an outage one line, however often it is tried.
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

/** The counts of a delivery, and the same in words. */

interface Tally {
  stored: number;
  refused: number;
  /** Sent, and neither confirmed nor refused. */
  unknown: number;
  /** Bytes of the input that have their outcomes. */
  bytes: number;
  /** The last line that has an outcome or was left without; later ones were not sent. */
  lastLine: number;
}

export const emptyTally = (): Tally => ({ stored: 0, refused: 0, unknown: 0, bytes: 0, lastLine: 0 });

const rateOf = ({ stored }: Tally, elapsedMs: number): number =>
  elapsedMs > 0 ? (stored * 1000) / elapsedMs : 0;

/** `4, 6–9`: how people write lines that follow each other. */
export const ranges = (lines: readonly Pick<Line, "number">[]): string => {
  const spans: [number, number][] = [];
  for (const { number } of lines) {
    const span = spans.at(-1);
    if (span?.[1] === number - 1) span[1] = number;
    else spans.push([number, number]);
  }
  return spans.map(([from, to]) => (from === to ? String(from) : `${from}–${to}`)).join(", ");
};

/** Never says more than what was acknowledged. */
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

/** How far a long delivery is: a bar at a terminal, elsewhere a line now and then. Only ever on stderr. */

interface Progress {
  /** Shows where it is now. May be called as often as one likes. */
  update(): void;
  /** A line for people, above the bar. */
  note(line: string): void;
  stop(): void;
}

interface ProgressOptions {
  readonly stderr: Output;
  readonly tally: Tally;
  /** Bytes of the input, where that is known beforehand. */
  readonly totalBytes: number | undefined;
  /** Milliseconds since the beginning. */
  readonly elapsedMs: () => number;
  /** Milliseconds between two lines where there is no terminal. */
  readonly everyMs?: number;
}

const COUNTS = "{stored} stored, {refused} refused, {rate}/s";

const createBar = ({ stderr, tally, totalBytes, elapsedMs }: ProgressOptions): Progress => {
  const bars = new progress.MultiBar(
    {
      stream: stderr,
      hideCursor: true,
      // Ctrl-C is the command's own business; the cursor comes back with `stop`.
      gracefulExit: false,
      format: totalBytes === undefined ? COUNTS : `{bar} {percentage}% | ${COUNTS} | {eta_formatted} left`,
    },
    progress.Presets.shades_classic,
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
      // Lines that wait for the next frame would be lost.
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
