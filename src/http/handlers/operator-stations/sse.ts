/** Server-sent events (WHATWG HTML, section 9.2) for a reader that may be slow: what it can't take is dropped and counted. */
import type { Clock } from "../../../lib/clock.ts";
import type { Call } from "../../call.ts";

export interface EventStreamSettings {
  readonly clock: Clock;
  /** Aborted when the program goes down. */
  readonly stopping: AbortSignal;
  /** A comment at least so often, in milliseconds, so that nobody in between takes the connection for dead. */
  readonly heartbeatMs: number;
  /** Bytes that may wait for the reader; beyond them events are dropped. */
  readonly maxWaitingBytes: number;
}

export interface EventStream {
  /** False: dropped, since the reader is behind. It is told how many were, once it has caught up. */
  send(event: string, data: object): boolean;
  /** Resolves when the reader has gone, or the program goes down. */
  readonly over: Promise<void>;
}

const textOf = (event: string, data: object): string => `event: ${event}\ndata: ${JSON.stringify(data)}\n\n`;

/** Answers 200 and the headers at once. */
export const openEventStream = ({ response }: Call, settings: EventStreamSettings): EventStream => {
  const { clock, stopping, heartbeatMs, maxWaitingBytes } = settings;
  let dropped = 0;
  response.setHeader("Content-Type", "text/event-stream");
  response.setHeader("Cache-Control", "no-store");
  // nginx would collect the events until it has a buffer full.
  response.setHeader("X-Accel-Buffering", "no");
  response.flushHeaders();

  const tellDropped = (): void => {
    if (dropped === 0 || response.writableEnded) return;
    response.write(textOf("dropped", { count: dropped }));
    dropped = 0;
  };
  let calledOff: () => void;
  const beat = (): void => {
    if (response.writableLength === 0) response.write(":\n\n");
    calledOff = clock.after(heartbeatMs, beat);
  };
  calledOff = clock.after(heartbeatMs, beat);
  const end = (): void => {
    if (!response.writableEnded) response.end(textOf("end", { reason: "The gateway is shutting down." }));
  };
  stopping.addEventListener("abort", end);
  response.on("drain", tellDropped);
  const over = new Promise<void>((resolve) => {
    const onClose = (): void => {
      calledOff();
      stopping.removeEventListener("abort", end);
      resolve();
    };
    if (response.destroyed) onClose();
    else response.once("close", onClose);
  });
  if (stopping.aborted) end();

  return {
    over,
    send: (event, data) => {
      if (response.writableEnded || response.destroyed) return false;
      if (response.writableLength > maxWaitingBytes) {
        dropped += 1;
        return false;
      }
      response.write(textOf(event, data));
      return true;
    },
  };
};
