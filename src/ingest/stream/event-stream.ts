/**
 * One connection on which events come and reports go, for hours. Nothing is read that can't be held: while too many
 * events are unanswered, or the reports aren't fetched, the input waits, and so does whoever sends it.
 */
import type { Readable, Writable } from "node:stream";
import { GatewayError } from "../../errors.ts";
import type { Clock } from "../../lib/clock.ts";
import type { EventOutcome } from "../produce.ts";
import type { Cut } from "./cutters.ts";
import { outcomesOf, readAll, type StreamItem, type StreamProtocol } from "./stream-protocol.ts";

/** Times in milliseconds. */
export interface StreamLimits {
  /** So long without a byte, while we read, and the stream is ended. */
  readonly idleTimeout: number;
  readonly maxAge: number;
  /** Events without a report, beyond which the input isn't read; what one chunk brings beyond them waits here. */
  readonly maxUnanswered: number;
  readonly maxUnansweredBytes: number;
}

export interface StreamOptions<T extends StreamItem> {
  readonly input: Readable;
  readonly output: Writable;
  readonly protocol: StreamProtocol<T>;
  readonly limits: StreamLimits;
  readonly clock: Clock;
  /** The program is going down: nothing more is read, what was read is answered. */
  readonly stopping: AbortSignal;
  /** When the sender's credential ends, in milliseconds since the epoch: nothing is stored from then on. Default: never. */
  readonly expires?: number | undefined;
}

/** How a stream ended: by its sender's end, by an error that its last report tells, or because nobody listens. */
export type StreamEnd = "complete" | "gone" | GatewayError;

interface StreamState<T extends StreamItem> extends StreamOptions<T> {
  /** Cut, and not yet handed over. */
  waiting: Buffer[];
  unanswered: number;
  unansweredBytes: number;
  /** Settles when the reports of all that was handed over are written. */
  reported: Promise<void>;
  /** The output's buffer is full. */
  clogged: boolean;
  end: StreamEnd | undefined;
  finished: boolean;
  /** Calls the idle timer off; undefined: it isn't running. */
  stopIdle: (() => void) | undefined;
  stopListening: () => void;
  resolve: (end: StreamEnd) => void;
}

/** Resolves, never rejects, once the output is closed. Events that were handed over are carried out in any case. */
export const runStream = <T extends StreamItem>(options: StreamOptions<T>): Promise<StreamEnd> =>
  new Promise((resolve) => {
    const session: StreamState<T> = {
      ...options,
      waiting: [],
      unanswered: 0,
      unansweredBytes: 0,
      reported: Promise.resolve(),
      clogged: false,
      end: undefined,
      finished: false,
      stopIdle: undefined,
      stopListening: () => undefined,
      resolve,
    };
    listen(session);
    advance(session);
  });

const listen = <T extends StreamItem>(session: StreamState<T>): void => {
  const { input, output, clock, limits, stopping, protocol } = session;
  const onData = (chunk: Buffer): void => {
    stopIdleTimer(session);
    accept(session, protocol.cutter.push(chunk));
  };
  const onEnd = (): void => {
    accept(session, protocol.cutter.end());
    end(session, "complete");
  };
  const onStop = (): void => {
    end(session, new GatewayError("SHUTTING_DOWN", { message: "The gateway is going down" }));
  };
  const stopAging = clock.after(limits.maxAge, () => {
    end(session, tooLate("The stream has reached its greatest age"));
  });
  const stopExpiring = whenExpired(session, () => {
    end(session, expired());
  });
  session.stopListening = () => {
    stopExpiring();
    input.off("data", onData).off("end", onEnd);
    stopping.removeEventListener("abort", onStop);
    stopAging();
    stopIdleTimer(session);
  };
  input.on("data", onData).on("end", onEnd);
  // Of a connection that has broken altogether the output's close tells next.
  input.on("error", (cause) => {
    end(session, new GatewayError("BODY_INCOMPLETE", { cause }));
  });
  output.on("error", () => undefined);
  output.once("close", () => {
    if (!session.finished) end(session, "gone");
    session.resolve(session.end ?? "gone");
  });
  if (stopping.aborted) onStop();
  else stopping.addEventListener("abort", onStop);
};

const expired = (): GatewayError => new GatewayError("UNAUTHORIZED", { cause: "expired api key" });

const isExpired = <T extends StreamItem>({ expires = Infinity, clock }: StreamState<T>): boolean =>
  expires !== Infinity && clock.now() >= expires;

/** The time of day may have been set back meanwhile: then the rest is waited for. */
const whenExpired = <T extends StreamItem>(session: StreamState<T>, action: () => void): (() => void) => {
  const { expires = Infinity, clock } = session;
  if (expires === Infinity) return () => undefined;
  let stop = (): void => undefined;
  const wait = (): void => {
    stop = clock.after(Math.max(0, expires - clock.now()), () => {
      if (isExpired(session)) action();
      else wait();
    });
  };
  wait();
  return () => {
    stop();
  };
};

const tooLate = (message: string): GatewayError => new GatewayError("REQUEST_TIMEOUT", { message });

const accept = <T extends StreamItem>(session: StreamState<T>, { texts, fault }: Cut): void => {
  session.waiting = session.waiting.length === 0 ? [...texts] : [...session.waiting, ...texts];
  if (fault === undefined) advance(session);
  else end(session, fault);
};

/** Nothing more is read. The first reason counts, but an input's end may still turn out to be none, or nobody's. */
const end = <T extends StreamItem>(session: StreamState<T>, reason: StreamEnd): void => {
  if (session.end !== undefined && session.end !== "complete" && reason !== "gone") return;
  session.end = reason;
  session.stopListening();
  session.input.pause();
  if (reason === "gone" || isUnauthorized(reason)) session.waiting = [];
  advance(session);
};

const isUnauthorized = (reason: StreamEnd): boolean =>
  reason instanceof GatewayError && reason.code === "UNAUTHORIZED";

/** Hands over what there is room for, and then reads on, waits, or finishes. */
const advance = <T extends StreamItem>(session: StreamState<T>): void => {
  if (session.waiting.length > 0 && isExpired(session)) {
    session.waiting = [];
    if (!(session.end instanceof GatewayError)) {
      end(session, expired());
      return;
    }
  }
  while (session.waiting.length > 0 && hasRoom(session)) handOver(session, takeWaiting(session));
  if (session.end === undefined) setFlow(session);
  else if (session.waiting.length === 0 && session.unanswered === 0) finish(session);
};

/** Once no more is read, reports that aren't fetched stop nothing: there is an end to what they can be. */
const hasRoom = <T extends StreamItem>(session: StreamState<T>): boolean => {
  const { unanswered, unansweredBytes, limits, clogged } = session;
  if (clogged && session.end === undefined) return false;
  return unanswered < limits.maxUnanswered && unansweredBytes < limits.maxUnansweredBytes;
};

const takeWaiting = <T extends StreamItem>(session: StreamState<T>): readonly Buffer[] => {
  const { waiting, limits } = session;
  const most = limits.maxUnanswered - session.unanswered;
  let bytes = session.unansweredBytes;
  let count = 0;
  while (count < Math.min(most, waiting.length) && bytes < limits.maxUnansweredBytes) {
    bytes += waiting[count]?.length ?? 0;
    count++;
  }
  session.waiting = waiting.slice(count);
  return count === waiting.length ? waiting : waiting.slice(0, count);
};

const handOver = <T extends StreamItem>(session: StreamState<T>, texts: readonly Buffer[]): void => {
  const { protocol } = session;
  const { items, fault } = readAll(protocol, texts);
  const bytes = texts.reduce((sum, text) => sum + text.length, 0);
  session.unanswered += items.length;
  session.unansweredBytes += bytes;
  const reported = protocol.ordered ? inOrder(session, items) : asKnown(session, items);
  void reported.then(() => {
    session.unanswered -= items.length;
    session.unansweredBytes -= bytes;
    advance(session);
  });
  if (fault === undefined) return;
  session.waiting = [];
  end(session, fault);
};

const inOrder = <T extends StreamItem>(session: StreamState<T>, items: readonly T[]): Promise<void> => {
  const stored = outcomesOf(session.protocol, items);
  const before = session.reported;
  session.reported = stored.then(async (outcomes) => {
    await before;
    write(session, items, outcomes);
  });
  return session.reported;
};

/** What couldn't be read doesn't wait for the others' outcomes. */
const asKnown = async <T extends StreamItem>(session: StreamState<T>, items: readonly T[]): Promise<void> => {
  const unread = items.filter(({ event }) => event instanceof GatewayError);
  const read = unread.length === 0 ? items : items.filter(({ event }) => !(event instanceof GatewayError));
  const each = [unread, read].map(async (some) => {
    write(session, some, await outcomesOf(session.protocol, some));
  });
  await Promise.all(each);
};

const write = <T extends StreamItem>(
  session: StreamState<T>,
  items: readonly T[],
  outcomes: readonly EventOutcome[],
): void => {
  const { output, protocol } = session;
  if (items.length === 0 || session.end === "gone") return;
  let lines = "";
  for (const [i, item] of items.entries()) {
    const outcome = outcomes[i];
    if (outcome !== undefined) lines += `${protocol.report(item, outcome)}\n`;
  }
  if (output.write(lines) || session.clogged) return;
  session.clogged = true;
  output.once("drain", () => {
    session.clogged = false;
    advance(session);
  });
};

/** The time without input is counted only while we are ready to read. */
const setFlow = <T extends StreamItem>(session: StreamState<T>): void => {
  const { input, clock, limits } = session;
  if (session.waiting.length > 0 || !hasRoom(session)) {
    stopIdleTimer(session);
    input.pause();
    return;
  }
  session.stopIdle ??= clock.after(limits.idleTimeout, () => {
    end(session, tooLate("The stream was without input for too long"));
  });
  input.resume();
};

const stopIdleTimer = <T extends StreamItem>(session: StreamState<T>): void => {
  session.stopIdle?.();
  session.stopIdle = undefined;
};

/** A client that doesn't fetch its last reports isn't waited for longer than one that sends nothing. */
const finish = <T extends StreamItem>(session: StreamState<T>): void => {
  if (session.finished) return;
  session.finished = true;
  const { output, protocol, clock, limits } = session;
  if (session.end === "gone") return;
  const stopWaiting = clock.after(limits.idleTimeout, () => output.destroy());
  output.once("close", stopWaiting);
  if (session.end instanceof GatewayError) output.end(`${protocol.ended(session.end)}\n`);
  else output.end();
};
