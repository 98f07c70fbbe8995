/** Gathers log lines and writes them in pieces of whole lines. A slow reader doesn't block the process. */
import type { Clock } from "../../lib/clock.ts";
import type { Outlet } from "./outlet.ts";
import { PieceQueue } from "./piece-queue.ts";

export interface LineSink {
  /** Takes a whole line with its newline. Never throws and never blocks. */
  write(line: string): void;
  /**
   * Writes the gathered lines. Resolves when the system has taken them, or after two seconds, and then drops the rest.
   */
  close(): Promise<void>;
  /** For the end of the process, when the event loop no longer runs: writes, synchronously, what the system accepts at once. */
  flushNow(): void;
}

export interface LineSinkOptions {
  readonly outlet: Outlet;
  readonly clock: Clock;
  /** Creates the line that reports the number of dropped lines. */
  readonly dropped: (lines: number) => string;
  /** Maximum bytes that wait for a slow reader. */
  readonly maxWaitingBytes?: number;
}

/**
 * A write of up to 4096 bytes to a pipe is atomic (`pipe(7)`), so lines of several processes don't mix. A piece holds as
 * many whole lines as fit; a longer line is written alone.
 */
const PIECE_BYTES = 4096;
const GATHER_MS = 250;
const MAX_WAITING_BYTES = 16 * 1024 * 1024;
const CLOSE_MS = 2000;

export const createLineSink = ({
  outlet,
  clock,
  dropped,
  maxWaitingBytes = MAX_WAITING_BYTES,
}: LineSinkOptions): LineSink => {
  const queue = new PieceQueue({ outlet, clock, dropped, maxWaitingBytes });
  const pieceBytes = outlet.terminal ? 0 : PIECE_BYTES;
  const gathered = Buffer.allocUnsafeSlow(PIECE_BYTES);
  let used = 0;
  let lines = 0;
  let timed = false;

  const seal = (): void => {
    if (used > 0) queue.push(Buffer.from(gathered.subarray(0, used)), lines);
    used = 0;
    lines = 0;
  };

  const sealLater = (): void => {
    timed = true;
    clock.after(GATHER_MS, () => {
      timed = false;
      seal();
    });
  };

  const write = (line: string): void => {
    const bytes = Buffer.byteLength(line);
    if (used + bytes > pieceBytes) seal();
    if (bytes > pieceBytes) {
      queue.push(Buffer.from(line), 1);
      return;
    }
    used += gathered.write(line, used);
    lines += 1;
    if (!timed) sealLater();
  };

  return {
    write,
    close: () => {
      seal();
      return queue.emptied(CLOSE_MS);
    },
    flushNow: () => {
      seal();
      queue.flushNow();
    },
  };
};
