/**
 * One connection that carries events in and reports out, possibly for hours. The memory for it is bounded: reading pauses
 * while too many events are unanswered, or while the client does not read its reports.
 */
import type { Readable, Writable } from "node:stream";
import { asGatewayError, GatewayError } from "../../errors.ts";
import type { Clock } from "../../lib/clock.ts";
import type { EventOutcome } from "../produce.ts";
import type { Cut } from "./cutters.ts";
import { outcomesOf, readAll, type StreamItem, type StreamProtocol } from "./stream-protocol.ts";

/** Times in milliseconds. */
export interface StreamLimits {
  /** Closes the stream after this time without input. The time does not run while reading is paused. */
  readonly idleTimeout: number;
  readonly maxAge: number;
  /** Maximum number of unanswered events. Reading pauses above it; the rest of the current chunk is buffered. */
  readonly maxUnanswered: number;
  readonly maxUnansweredBytes: number;
}

export interface StreamOptions<T extends StreamItem> {
  readonly input: Readable;
  readonly output: Writable;
  readonly protocol: StreamProtocol<T>;
  readonly limits: StreamLimits;
  readonly clock: Clock;
  /** Aborted when the process shuts down. Reading stops, and the events that were read are answered. */
  readonly stopping: AbortSignal;
  /** Aborted with a GatewayError when the client may not send any more. No further event is stored. */
  readonly revoked: AbortSignal;
  /** Expiry of the client's credential, in milliseconds since the epoch. No event is stored after it. Default: never. */
  readonly expires?: number | undefined;
}

/** How a stream ended: the client ended its input, the client closed the connection, or the error of the last report. */
export type StreamEnd = "complete" | "gone" | GatewayError;

interface StreamState<T extends StreamItem> extends StreamOptions<T> {
  /** Texts of events that are not handed over yet. */
  waiting: Buffer[];
  unanswered: number;
  unansweredBytes: number;
  /** Settles when the reports of all events that were handed over are written. */
  reported: Promise<void>;
  /** The output's buffer is full. */
  isOutputFull: boolean;
  end: StreamEnd | undefined;
  finished: boolean;
  /** Cancels the idle timer; undefined: the timer is not running. */
  stopIdle: (() => void) | undefined;
  /** Remove the listeners and timers of the input. */
  readonly cleanups: (() => void)[];
  readonly resolve: (end: StreamEnd) => void;
}

/** Resolves when the output is closed, and never rejects. Events that were handed over are stored in any case. */
export const runStream = <T extends StreamItem>(options: StreamOptions<T>): Promise<StreamEnd> =>
  new Promise((resolve) => {
    const stream: StreamState<T> = {
      ...options,
      waiting: [],
      unanswered: 0,
      unansweredBytes: 0,
      reported: Promise.resolve(),
      isOutputFull: false,
      end: undefined,
      finished: false,
      stopIdle: undefined,
      cleanups: [],
      resolve,
    };
    listen(stream);
    advance(stream);
  });

const listen = <T extends StreamItem>(stream: StreamState<T>): void => {
  const { input, output, clock, limits, stopping, revoked, protocol } = stream;
  const onData = (chunk: Buffer): void => {
    stopIdleTimer(stream);
    accept(stream, protocol.cutter.push(chunk));
  };
  const onEnd = (): void => {
    accept(stream, protocol.cutter.end());
    end(stream, "complete");
  };
  const onStop = (): void => {
    end(stream, new GatewayError("SHUTTING_DOWN", { message: "The gateway is shutting down" }));
  };
  const onRevoked = (): void => {
    stream.waiting = [];
    end(stream, asGatewayError(revoked.reason));
  };
  stream.cleanups.push(
    clock.after(limits.maxAge, () => {
      end(stream, timedOut("The stream has reached its maximum age; open a new one"));
    }),
    whenExpired(stream, () => {
      end(stream, expired());
    }),
    () => {
      input.off("data", onData).off("end", onEnd);
      stopping.removeEventListener("abort", onStop);
      revoked.removeEventListener("abort", onRevoked);
    },
  );
  revoked.addEventListener("abort", onRevoked);
  input.on("data", onData).on("end", onEnd);
  // If the whole connection has broken, the output's close event follows.
  input.on("error", (cause) => {
    end(stream, new GatewayError("BODY_INCOMPLETE", { cause }));
  });
  output.on("error", () => undefined);
  output.once("close", () => {
    if (!stream.finished) end(stream, "gone");
    stream.resolve(stream.end ?? "gone");
  });
  if (stopping.aborted) onStop();
  else stopping.addEventListener("abort", onStop);
};

const stopListening = <T extends StreamItem>(stream: StreamState<T>): void => {
  for (const cleanup of stream.cleanups.splice(0)) cleanup();
  stopIdleTimer(stream);
};

const expired = (): GatewayError => new GatewayError("UNAUTHORIZED", { cause: "expired api key" });

const isExpired = <T extends StreamItem>({ expires = Infinity, clock }: StreamState<T>): boolean =>
  expires !== Infinity && clock.now() >= expires;

/** Returns the function that cancels it. If the wall clock was set back meanwhile, waits for the rest of the time. */
const whenExpired = <T extends StreamItem>(stream: StreamState<T>, action: () => void): (() => void) => {
  const { expires = Infinity, clock } = stream;
  if (expires === Infinity) return () => undefined;
  const wait = (): (() => void) =>
    clock.after(Math.max(0, expires - clock.now()), () => {
      if (isExpired(stream)) action();
      else stop = wait();
    });
  let stop = wait();
  return () => {
    stop();
  };
};

const timedOut = (message: string): GatewayError => new GatewayError("REQUEST_TIMEOUT", { message });

const accept = <T extends StreamItem>(stream: StreamState<T>, { texts, fault }: Cut): void => {
  stream.waiting = stream.waiting.length === 0 ? [...texts] : [...stream.waiting, ...texts];
  if (fault === undefined) advance(stream);
  else end(stream, fault);
};

/** Stops reading. The first reason counts, but an error replaces "complete", and "gone" replaces every reason. */
const end = <T extends StreamItem>(stream: StreamState<T>, reason: StreamEnd): void => {
  if (stream.end !== undefined && stream.end !== "complete" && reason !== "gone") return;
  stream.end = reason;
  stopListening(stream);
  stream.input.pause();
  if (reason === "gone" || isUnauthorized(reason)) stream.waiting = [];
  advance(stream);
};

const isUnauthorized = (reason: StreamEnd): boolean =>
  reason instanceof GatewayError && reason.code === "UNAUTHORIZED";

/** Hands over as many events as the limits allow, then reads, pauses or finishes. */
const advance = <T extends StreamItem>(stream: StreamState<T>): void => {
  if (stream.waiting.length > 0 && isExpired(stream)) {
    stream.waiting = [];
    if (!(stream.end instanceof GatewayError)) {
      end(stream, expired());
      return;
    }
  }
  while (stream.waiting.length > 0 && hasRoom(stream)) handOver(stream, takeWaiting(stream));
  if (stream.end === undefined) setFlow(stream);
  else if (stream.waiting.length === 0 && stream.unanswered === 0) finish(stream);
};

/** After the end of reading, unread reports don't pause the stream: their number is bounded. */
const hasRoom = <T extends StreamItem>(stream: StreamState<T>): boolean => {
  const { unanswered, unansweredBytes, limits, isOutputFull } = stream;
  if (isOutputFull && stream.end === undefined) return false;
  return unanswered < limits.maxUnanswered && unansweredBytes < limits.maxUnansweredBytes;
};

const takeWaiting = <T extends StreamItem>(stream: StreamState<T>): readonly Buffer[] => {
  const { waiting, limits } = stream;
  const most = limits.maxUnanswered - stream.unanswered;
  let bytes = stream.unansweredBytes;
  let count = 0;
  while (count < Math.min(most, waiting.length) && bytes < limits.maxUnansweredBytes) {
    bytes += waiting[count]?.length ?? 0;
    count++;
  }
  stream.waiting = waiting.slice(count);
  return count === waiting.length ? waiting : waiting.slice(0, count);
};

const handOver = <T extends StreamItem>(stream: StreamState<T>, texts: readonly Buffer[]): void => {
  const { protocol } = stream;
  const { items, fault } = readAll(protocol, texts);
  const bytes = texts.reduce((sum, text) => sum + text.length, 0);
  stream.unanswered += items.length;
  stream.unansweredBytes += bytes;
  const reported = protocol.ordered ? reportInOrder(stream, items) : reportAtOnce(stream, items);
  void reported.then(() => {
    stream.unanswered -= items.length;
    stream.unansweredBytes -= bytes;
    advance(stream);
  });
  if (fault === undefined) return;
  stream.waiting = [];
  end(stream, fault);
};

const reportInOrder = <T extends StreamItem>(stream: StreamState<T>, items: readonly T[]): Promise<void> => {
  const stored = outcomesOf(stream.protocol, items);
  const before = stream.reported;
  stream.reported = stored.then(async (outcomes) => {
    await before;
    write(stream, items, outcomes);
  });
  return stream.reported;
};

/** Reports the events that can't be read without waiting for the outcomes of the other events. */
const reportAtOnce = async <T extends StreamItem>(
  stream: StreamState<T>,
  items: readonly T[],
): Promise<void> => {
  const unreadable = items.filter(({ event }) => event instanceof GatewayError);
  const readable =
    unreadable.length === 0 ? items : items.filter(({ event }) => !(event instanceof GatewayError));
  const reports = [unreadable, readable].map(async (part) => {
    write(stream, part, await outcomesOf(stream.protocol, part));
  });
  await Promise.all(reports);
};

const write = <T extends StreamItem>(
  stream: StreamState<T>,
  items: readonly T[],
  outcomes: readonly EventOutcome[],
): void => {
  const { output, protocol } = stream;
  if (items.length === 0 || stream.end === "gone") return;
  let lines = "";
  for (const [i, item] of items.entries()) {
    const outcome = outcomes[i];
    if (outcome !== undefined) lines += `${protocol.report(item, outcome)}\n`;
  }
  if (output.write(lines) || stream.isOutputFull) return;
  stream.isOutputFull = true;
  output.once("drain", () => {
    stream.isOutputFull = false;
    advance(stream);
  });
};

/** Reads or pauses. The idle timer runs only while the gateway reads. */
const setFlow = <T extends StreamItem>(stream: StreamState<T>): void => {
  const { input, clock, limits } = stream;
  if (stream.waiting.length > 0 || !hasRoom(stream)) {
    stopIdleTimer(stream);
    input.pause();
    return;
  }
  stream.stopIdle ??= clock.after(limits.idleTimeout, () => {
    end(stream, timedOut("The stream had no input for too long; open a new one"));
  });
  input.resume();
};

const stopIdleTimer = <T extends StreamItem>(stream: StreamState<T>): void => {
  stream.stopIdle?.();
  stream.stopIdle = undefined;
};

/** Closes the connection of a client that does not read its last reports within the idle timeout. */
const finish = <T extends StreamItem>(stream: StreamState<T>): void => {
  if (stream.finished) return;
  stream.finished = true;
  const { output, protocol, clock, limits } = stream;
  if (stream.end === "gone") return;
  const stopWaiting = clock.after(limits.idleTimeout, () => output.destroy());
  output.once("close", stopWaiting);
  if (stream.end instanceof GatewayError) output.end(`${protocol.ended(stream.end)}\n`);
  else output.end();
};
