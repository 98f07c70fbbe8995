/** What becomes of each line: counted, shown as it goes, and told at the end. */
import type { Exit } from "../exits.ts";
import type { Shell } from "../shell.ts";
import type { Report } from "./deliver.ts";
import { createProgress } from "./progress.ts";
import { emptyTally, ranges, summary } from "./tally.ts";

export interface FileReport extends Report {
  /** The last words; the exit that they mean. `failure` is why the delivery ended early. */
  finish(end: "ok" | "unreachable" | "interrupted", failure?: string): Promise<Exit>;
  /** Takes the bar away. */
  close(): void;
}

export interface FileReportOptions {
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
