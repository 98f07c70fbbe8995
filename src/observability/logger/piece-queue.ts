/** Pieces of the log on their way out: handed on at once, or kept in order while the reader is slow. */
import type { Clock } from "../../lib/clock.ts";
import { errnoOf } from "../../lib/file-system.ts";
import { createFifo } from "../../lib/fifo.ts";
import type { Outlet } from "./outlet.ts";

export interface PieceQueueOptions {
  readonly outlet: Outlet;
  readonly clock: Clock;
  /** The line that tells how many lines were dropped. */
  readonly dropped: (lines: number) => string;
  /** Bytes that may wait for a slow reader. What comes beyond them is dropped, until half of them have gone. */
  readonly maxWaitingBytes: number;
}

/** After EAGAIN. A pipe holds 64 kB: 6 MB/s for a reader that is always behind. */
const RETRY_MS = 10;
/** After another fault, such as a full disk. */
const FAULT_RETRY_MS = 250;
/** When a reader comes back there may be thousands of pieces: requests have their turn in between. */
const PIECES_A_TURN = 64;

export class PieceQueue {
  readonly #options: PieceQueueOptions;
  readonly #waiting = createFifo<Buffer>();
  #waitingBytes = 0;
  /** What is left of the first piece, of which the system has taken the beginning. */
  #rest: Buffer | undefined;
  /** The background has the first piece. */
  #writing = false;
  #cancelRetry: (() => void) | undefined;
  #lostLines = 0;
  readonly #watchers = new Set<() => void>();

  constructor(options: PieceQueueOptions) {
    this.#options = options;
  }

  /** Takes a piece of so many lines; the bytes are the queue's from here on. */
  push(piece: Buffer, lines: number): void {
    const full = this.#waitingBytes > 0 && this.#waitingBytes + piece.length > this.#options.maxWaitingBytes;
    // What follows a loss is lost too until that is told, so that the lines in between are in order.
    if (full || this.#lostLines > 0) {
      this.#lostLines += lines;
      return;
    }
    this.#enqueue(piece);
    if (!this.#writing && this.#cancelRetry === undefined) this.#drain();
  }

  /** Resolves once the system has all, or after so long; what is left then is given up. */
  async emptied(patienceMs: number): Promise<void> {
    if (this.#waiting.size === 0) return;
    await new Promise<void>((resolve) => {
      const giveUp = this.#options.clock.after(patienceMs, () => {
        this.#discard();
      });
      this.#watchers.add(() => {
        giveUp();
        resolve();
      });
    });
  }

  /** Hands on what the system takes at once. */
  flushNow(): void {
    // What a thread is writing can't be waited for here, nor overtaken.
    if (this.#writing) return;
    try {
      for (let bytes = this.#next(); bytes !== undefined; bytes = this.#next())
        this.#advance(bytes, this.#options.outlet.writeNow(bytes));
    } catch {
      // Nobody reads, or not fast enough, and there is no time left.
    }
  }

  #enqueue(piece: Buffer): void {
    this.#waiting.push(piece);
    this.#waitingBytes += piece.length;
  }

  #next(): Buffer | undefined {
    return this.#rest ?? this.#waiting.peek();
  }

  #drain(): void {
    for (let pieces = 0; pieces < PIECES_A_TURN; pieces += 1) {
      const bytes = this.#next();
      if (bytes === undefined) return;
      try {
        const written = this.#options.outlet.write(bytes);
        if (typeof written !== "number") {
          void this.#await(bytes, written);
          return;
        }
        this.#advance(bytes, written);
      } catch (error) {
        this.#failed(error);
        return;
      }
    }
    this.#drainLater(RETRY_MS);
  }

  async #await(bytes: Buffer, writing: Promise<number>): Promise<void> {
    this.#writing = true;
    try {
      const written = await writing;
      this.#writing = false;
      this.#advance(bytes, written);
      this.#drain();
    } catch (error) {
      this.#writing = false;
      this.#failed(error);
    }
  }

  #drainLater(ms: number): void {
    this.#cancelRetry = this.#options.clock.after(ms, () => {
      this.#cancelRetry = undefined;
      this.#drain();
    });
  }

  #advance(bytes: Buffer, written: number): void {
    // Given up meanwhile.
    if (bytes !== this.#next()) return;
    this.#waitingBytes -= written;
    this.#rest = written < bytes.length ? bytes.subarray(written) : undefined;
    if (this.#rest === undefined) this.#waiting.shift();
    if (this.#lostLines > 0 && this.#waitingBytes <= this.#options.maxWaitingBytes / 2) {
      this.#enqueue(Buffer.from(this.#options.dropped(this.#lostLines)));
      this.#lostLines = 0;
    }
    if (this.#waiting.size === 0) this.#tellEmpty();
  }

  #failed(error: unknown): void {
    const errno = errnoOf(error);
    if (errno === "EPIPE") this.#discard();
    else this.#drainLater(errno === "EAGAIN" ? RETRY_MS : FAULT_RETRY_MS);
  }

  /** The reader has gone: there is nobody left who could be told. */
  #discard(): void {
    this.#cancelRetry?.();
    this.#cancelRetry = undefined;
    while (this.#waiting.shift() !== undefined);
    this.#rest = undefined;
    this.#waitingBytes = 0;
    this.#lostLines = 0;
    this.#tellEmpty();
  }

  #tellEmpty(): void {
    for (const watcher of this.#watchers) watcher();
    this.#watchers.clear();
  }
}
