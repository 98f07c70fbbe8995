/** Writes the blocks of one stream: back pressure, the newest id, the end. */
import type { Clock } from "../../lib/clock.ts";
import { type EndReason, endBlock, type Frame, frameOf, type StreamFormat } from "./event-block.ts";

/** The connection of a stream's client. */
export interface StreamOutput {
  /** False: the socket is full. `Stream.drained` must be called when it is not full any more. */
  write(frame: Frame): boolean;
  /** Ends the answer after everything is written. */
  end(): void;
  /** Closes the connection. */
  cut(): void;
}

export type CutReason = "slow" | "behind";

export interface StreamWriterOptions {
  readonly output: StreamOutput;
  readonly format: StreamFormat;
  readonly clock: Clock;
  readonly onEvents: (count: number) => void;
  readonly onCut: (reason: CutReason) => void;
}

/** A class, because all streams pass through the same code: V8 runs it fast only if they share one hidden class. */
export class StreamWriter {
  readonly #options: StreamWriterOptions;
  readonly #over = new AbortController();
  #isOver = false;
  #fullSince: number | undefined = undefined;
  #events = 0;
  #idSent: string | undefined = undefined;
  #wake = (): void => undefined;

  constructor(options: StreamWriterOptions) {
    this.#options = options;
  }

  /** Aborted when the stream is over. */
  get signal(): AbortSignal {
    return this.#over.signal;
  }

  /** As `signal.aborted`, which takes more time. */
  get isOver(): boolean {
    return this.#isOver;
  }

  /** When the socket became full, as `Clock.now`; undefined: it is not full. */
  get fullSince(): number | undefined {
    return this.#fullSince;
  }

  /** Number of events that were written. */
  get events(): number {
    return this.#events;
  }

  /** The id that was written last. */
  get idSent(): string | undefined {
    return this.#idSent;
  }

  /** `id`: the newest id in the frame. Does nothing when the stream is over. */
  write(frame: Frame, events = 0, id?: string): void {
    if (this.#isOver) return;
    const { output, clock, onEvents } = this.#options;
    if (!output.write(frame)) this.#fullSince ??= clock.now();
    this.#idSent = id ?? this.#idSent;
    this.#events += events;
    if (events > 0) onEvents(events);
  }

  /** Resolves when the socket is not full, or when the stream is over. */
  async writable(): Promise<void> {
    if (this.#fullSince !== undefined && !this.#isOver)
      await new Promise<void>((resolve) => (this.#wake = resolve));
  }

  drained(): void {
    this.#fullSince = undefined;
    this.#wake();
  }

  end(reason: EndReason): void {
    if (this.#isOver) return;
    const { output, format } = this.#options;
    this.write(frameOf([endBlock(reason, format)]));
    this.close();
    output.end();
  }

  cut(reason: CutReason): void {
    if (this.#isOver) return;
    const { output, onCut } = this.#options;
    onCut(reason);
    this.close();
    output.cut();
  }

  /** The connection is closed. */
  close(): void {
    this.#isOver = true;
    this.#over.abort();
    this.#wake();
  }
}
