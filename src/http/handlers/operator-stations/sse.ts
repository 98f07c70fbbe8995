/** Server-sent events (WHATWG HTML, section 9.2). If the reader is too slow, events are dropped and counted. */
import type { Clock } from "../../../lib/clock.ts";
import type { Call } from "../../call.ts";

export interface EventStreamSettings {
  readonly clock: Clock;
  /** Aborted when the process shuts down. */
  readonly stopping: AbortSignal;
  /** Milliseconds between comments, which keep proxies from closing an idle connection. */
  readonly heartbeatMs: number;
  /** Maximum number of unsent bytes. Above it events are dropped. */
  readonly maxWaitingBytes: number;
}

export interface EventStream {
  /** Returns false if the event is dropped. After the reader has caught up, it gets the number of dropped events. */
  send(event: string, data: object): boolean;
  /** Resolves when the connection is closed. */
  readonly over: Promise<void>;
}

const textOf = (event: string, data: object): string => `event: ${event}\ndata: ${JSON.stringify(data)}\n\n`;

/** Sends the status 200 and the headers at once. */
export const openEventStream = ({ response }: Call, settings: EventStreamSettings): EventStream => {
  const { clock, stopping, heartbeatMs, maxWaitingBytes } = settings;
  let dropped = 0;
  response.setHeader("Content-Type", "text/event-stream");
  response.setHeader("Cache-Control", "no-store");
  // Without this header nginx delays the events until its buffer is full.
  response.setHeader("X-Accel-Buffering", "no");
  response.flushHeaders();

  const reportDropped = (): void => {
    if (dropped === 0 || response.writableEnded) return;
    response.write(textOf("dropped", { count: dropped }));
    dropped = 0;
  };
  const beat = (): void => {
    if (response.writableLength === 0) response.write(":\n\n");
    cancelBeat = clock.after(heartbeatMs, beat);
  };
  let cancelBeat = clock.after(heartbeatMs, beat);
  const end = (): void => {
    if (!response.writableEnded) response.end(textOf("end", { reason: "The gateway is shutting down." }));
  };
  stopping.addEventListener("abort", end);
  response.on("drain", reportDropped);
  const over = new Promise<void>((resolve) => {
    const onClose = (): void => {
      cancelBeat();
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
