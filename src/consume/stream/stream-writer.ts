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

/** The objects of streams have no accessors: V8 would make a hidden class of about 500 bytes for each stream. */
export const createStreamWriter = (options: StreamWriterOptions): StreamWriter => {
  const { output, format, clock, onEvents, onCut } = options;
  const over = new AbortController();
  const { signal } = over;
  let wake = (): void => undefined;

  const write = (frame: Frame, count = 0, id = state.idSent): void => {
    if (signal.aborted) return;
    if (!output.write(frame)) state.fullSince ??= clock.now();
    state.idSent = id;
    state.events += count;
    if (count > 0) onEvents(count);
  };

  const close = (): void => {
    over.abort();
    wake();
  };

  const state: Mutable<StreamWriter> = {
    ...{ signal, fullSince: undefined, events: 0, idSent: undefined, write, close },
    writable: async () => {
      if (state.fullSince !== undefined && !signal.aborted)
        await new Promise<void>((resolve) => (wake = resolve));
    },
    drained: () => {
      state.fullSince = undefined;
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
  };
  return state;
};

type Mutable<T> = { -readonly [K in keyof T]: T[K] };
