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

export interface StreamWriter {
  /** Aborted when the stream is over. */
  readonly signal: AbortSignal;
  /** When the socket became full, as `Clock.now`; undefined: it is not full. */
  readonly fullSince: number | undefined;
  /** Number of events that were written. */
  readonly events: number;
  /** The id that was written last. */
  readonly idSent: string | undefined;
  /** `id`: the newest id in the frame. Does nothing when the stream is over. */
  write(frame: Frame, events?: number, id?: string): void;
  /** Resolves when the socket is not full, or when the stream is over. */
  writable(): Promise<void>;
  drained(): void;
  readonly end: (reason: EndReason) => void;
  cut(reason: CutReason): void;
  /** The connection is closed. */
  close(): void;
}

export interface StreamWriterOptions {
  readonly output: StreamOutput;
  readonly format: StreamFormat;
  readonly clock: Clock;
  readonly onEvents: (count: number) => void;
  readonly onCut: (reason: CutReason) => void;
}

export const createStreamWriter = (options: StreamWriterOptions): StreamWriter => {
  const { output, format, clock, onEvents, onCut } = options;
  const over = new AbortController();
  const { signal } = over;
  let fullSince: number | undefined;
  let events = 0;
  let idSent: string | undefined;
  let wake = (): void => undefined;

  const write = (frame: Frame, count = 0, id = idSent): void => {
    if (signal.aborted) return;
    if (!output.write(frame)) fullSince ??= clock.now();
    idSent = id;
    events += count;
    if (count > 0) onEvents(count);
  };

  const close = (): void => {
    over.abort();
    wake();
  };

  return {
    signal,
    get fullSince() {
      return fullSince;
    },
    get events() {
      return events;
    },
    get idSent() {
      return idSent;
    },
    write,
    writable: async () => {
      if (fullSince !== undefined && !signal.aborted) await new Promise<void>((resolve) => (wake = resolve));
    },
    drained: () => {
      fullSince = undefined;
      wake();
    },
    end: (reason) => {
      if (signal.aborted) return;
      write(frameOf([endBlock(reason, format)]));
      close();
      output.end();
    },
    cut: (reason) => {
      if (signal.aborted) return;
      onCut(reason);
      close();
      output.cut();
    },
    close,
  };
};
