/** Gathers log lines and hands them on in pieces: no line is broken, none waits long, and none holds the process up. */
import type { Clock } from "../../lib/clock.ts";
import type { Outlet } from "./outlet.ts";
import { PieceQueue } from "./piece-queue.ts";

export interface LineSink {
  /** Takes a whole line with its newline. Never fails and never waits. */
  write(line: string): void;
  /** Hands on what has gathered; resolves once the system has it, or after two seconds: then the rest is given up. */
  close(): Promise<void>;
  /** Hands on what the system takes at once: for the process's end, when there is no event loop any more. */
  flushNow(): void;
}

export interface LineSinkOptions {
  readonly outlet: Outlet;
  readonly clock: Clock;
  /** The line that tells how many lines were dropped. */
  readonly dropped: (lines: number) => string;
  /** Bytes that may wait for a slow reader. */
  readonly maxWaitingBytes?: number;
}

/**
 * What several processes write to one pipe stays in one piece up to 4096 bytes (`pipe(7)`), so a piece is as many whole
 * lines as fit. A longer line is a piece by itself.
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
