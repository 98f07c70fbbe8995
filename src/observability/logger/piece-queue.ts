/** A queue of log pieces. It writes them at once, or keeps them in order while the reader is slow. */
import type { Clock } from "../../lib/clock.ts";
import { errnoOf } from "../../lib/file-system.ts";
import { createFifo } from "../../lib/fifo.ts";
import type { Outlet } from "./outlet.ts";

export interface PieceQueueOptions {
  readonly outlet: Outlet;
  readonly clock: Clock;
  /** Creates the line that reports the number of dropped lines. */
  readonly dropped: (lines: number) => string;
  /** Maximum bytes that wait for a slow reader. Above it, new lines are dropped until half of the bytes are written. */
  readonly maxWaitingBytes: number;
}

/** The pause after EAGAIN. A pipe holds 64 kB, so a reader that is always behind gets 6 MB/s. */
const RETRY_MS = 10;
/** The pause after another fault, such as a full disk. */
const FAULT_RETRY_MS = 250;
/** Pieces per turn of the event loop, so that thousands of waiting pieces don't delay requests. */
const PIECES_A_TURN = 64;

export class PieceQueue {
  readonly #options: PieceQueueOptions;
  readonly #waiting = createFifo<Buffer>();
  #waitingBytes = 0;
  /** The rest of the first piece, if the system has taken only its beginning. */
  #rest: Buffer | undefined;
  /** Another thread is writing the first piece. */
  #writing = false;
  #cancelRetry: (() => void) | undefined;
  #lostLines = 0;
  readonly #watchers = new Set<() => void>();

  constructor(options: PieceQueueOptions) {
    this.#options = options;
  }

  /** Adds a piece with this number of lines. The caller must not change the bytes any more. */
  push(piece: Buffer, lines: number): void {
    const full = this.#waitingBytes > 0 && this.#waitingBytes + piece.length > this.#options.maxWaitingBytes;
    // After a loss all lines are dropped until the loss is reported, so that the report stands at the right position.
    if (full || this.#lostLines > 0) {
      this.#lostLines += lines;
      return;
    }
    this.#enqueue(piece);
    if (!this.#writing && this.#cancelRetry === undefined) this.#drain();
  }

  /** Resolves when the system has taken all pieces, or after the timeout, and then drops the rest. */
  async emptied(timeoutMs: number): Promise<void> {
    if (this.#waiting.size === 0) return;
    await new Promise<void>((resolve) => {
      const giveUp = this.#options.clock.after(timeoutMs, () => {
        this.#discard();
      });
      this.#watchers.add(() => {
        giveUp();
        resolve();
      });
    });
  }

  /** Writes synchronously as much as the system takes at once. */
  flushNow(): void {
    // A write by another thread can't be awaited here, and later pieces must not overtake it.
    if (this.#writing) return;
    try {
      for (let bytes = this.#next(); bytes !== undefined; bytes = this.#next())
        this.#advance(bytes, this.#options.outlet.writeNow(bytes));
    } catch {
      // The reader is gone or too slow, and the process is ending.
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
    // The piece was discarded during the write.
    if (bytes !== this.#next()) return;
    this.#waitingBytes -= written;
    this.#rest = written < bytes.length ? bytes.subarray(written) : undefined;
    if (this.#rest === undefined) this.#waiting.shift();
    if (this.#lostLines > 0 && this.#waitingBytes <= this.#options.maxWaitingBytes / 2) {
      this.#enqueue(Buffer.from(this.#options.dropped(this.#lostLines)));
      this.#lostLines = 0;
    }
    if (this.#waiting.size === 0) this.#notifyEmpty();
  }

  #failed(error: unknown): void {
    const errno = errnoOf(error);
    if (errno === "EPIPE") this.#discard();
    else this.#drainLater(errno === "EAGAIN" ? RETRY_MS : FAULT_RETRY_MS);
  }

  /** Drops all pieces, because the reader is gone or the timeout has passed. */
  #discard(): void {
    this.#cancelRetry?.();
    this.#cancelRetry = undefined;
    while (this.#waiting.shift() !== undefined);
    this.#rest = undefined;
    this.#waitingBytes = 0;
    this.#lostLines = 0;
    this.#notifyEmpty();
  }

  #notifyEmpty(): void {
    for (const watcher of this.#watchers) watcher();
    this.#watchers.clear();
  }
}
