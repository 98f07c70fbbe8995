/** How far a long delivery is: a bar at a terminal, elsewhere a line now and then. Only ever on stderr. */
import progress from "cli-progress";
import { grouped } from "../values.ts";
import type { Output } from "../shell.ts";
import { rateOf, summary, type Tally } from "./tally.ts";

export interface Progress {
  /** Shows where it is now. May be called as often as one likes. */
  update(): void;
  /** A line for people, above the bar. */
  note(line: string): void;
  stop(): void;
}

export interface ProgressOptions {
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
