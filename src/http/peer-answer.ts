/** Passes a call on to the home of its group (the process that serves the group), and the answer back to the client. */
import type { Response } from "express";
import { unauthorized } from "../auth/principal.ts";
import { EVENTS_HEADER } from "../consume/batch.ts";
import type { Home } from "../home/home.ts";
import type { PeerAnswer, PeerCall } from "../home/peers/peers.ts";
import type { Clock } from "../lib/clock.ts";
import type { AuthorisedCall } from "./call.ts";

export interface ForwardOptions {
  readonly home: Pick<Home, "call">;
  readonly clock: Clock;
  /** Milliseconds that a client may take for an answer. After that its connection is reset. */
  readonly answerMax: number;
  /** Aborted when this process ends: waiting calls are answered then. */
  readonly stopping: AbortSignal;
}

type HomeCall = Omit<PeerCall, "signal">;

/**
 * Sends the home's answer to the client, and reports to the home how the answer ended. If this process ends while the call
 * waits, `hurried` is called instead. Rejects with the GatewayError of the home, with HOME_UNAVAILABLE, or with UNAUTHORIZED if
 * the credential expires while the call waits. Sends nothing if the client has disconnected.
 */
export const forward = async (
  call: AuthorisedCall,
  options: ForwardOptions,
  group: string,
  { request, hurried }: { readonly request: HomeCall; readonly hurried?: HomeCall },
): Promise<void> => {
  const { response } = call;
  const presence = presenceOf(call, options.clock);
  let answer: PeerAnswer;
  try {
    answer = await callHome(options, group, { request, hurried, gone: presence.signal });
  } catch (error) {
    if (response.closed) return;
    throw presence.hasExpired() ? unauthorized("expired api key") : error;
  } finally {
    presence.end();
  }
  if (presence.hasExpired()) {
    answer.ended(false);
    throw unauthorized("expired api key");
  }
  const { [EVENTS_HEADER]: events, ...headers } = answer.headers;
  if (events !== undefined) call.facts.consumed = Number(events);
  void wasSent(response).then(answer.ended);
  write(response, { ...answer, headers }, options);
};

interface WaitingCall {
  readonly request: HomeCall;
  readonly hurried: HomeCall | undefined;
  /** Aborted when the client is gone. */
  readonly gone: AbortSignal;
}

const callHome = async (
  { home, stopping }: ForwardOptions,
  group: string,
  { request, hurried, gone }: WaitingCall,
): Promise<PeerAnswer> => {
  if (hurried === undefined) return home.call(group, { ...request, signal: gone });
  const isStopping = (): boolean => stopping.aborted;
  if (!isStopping()) {
    const waiting = abortedByEither(gone, stopping);
    try {
      const answer = await home.call(group, { ...request, signal: waiting.signal });
      if (!waiting.signal.aborted) return answer;
      answer.ended(false);
    } catch (error) {
      if (!isStopping() || gone.aborted) throw error;
    } finally {
      waiting.end();
    }
  }
  gone.throwIfAborted();
  return home.call(group, { ...hurried, signal: gone });
};

/** `AbortSignal.any` would take memory of a signal that lives as long as the process. */
const abortedByEither = (one: AbortSignal, other: AbortSignal) => {
  const aborted = new AbortController();
  const abort = (): void => {
    aborted.abort();
  };
  for (const signal of [one, other]) signal.addEventListener("abort", abort);
  return {
    signal: aborted.signal,
    end: () => {
      for (const signal of [one, other]) signal.removeEventListener("abort", abort);
    },
  };
};

const presenceOf = ({ response, principal: { expires } }: AuthorisedCall, clock: Clock) => {
  const ended = new AbortController();
  let hasExpired = false;
  const abort = (): void => {
    ended.abort();
  };
  response.once("close", abort);
  const cancel =
    expires === undefined
      ? undefined
      : clock.after(Math.max(0, expires - clock.now()), () => {
          hasExpired = true;
          abort();
        });
  return {
    signal: ended.signal,
    hasExpired: () => hasExpired,
    end: () => {
      cancel?.();
      response.off("close", abort);
    },
  };
};

const write = (
  response: Response,
  { status, headers, body }: PeerAnswer,
  { clock, answerMax }: ForwardOptions,
): void => {
  const cancel = clock.after(answerMax, () => {
    (response.socket ?? response.req.socket).resetAndDestroy();
  });
  response.once("close", cancel);
  response.statusCode = status;
  for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
  response.end(body);
};

/** The members of a socket that show whether it is still open. */
interface Connection {
  readonly errored: Error | null;
  readonly destroyed: boolean;
  readonly readableEnded: boolean;
}

const isOpen = ({ errored, destroyed, readableEnded }: Connection): boolean =>
  errored === null && !destroyed && !readableEnded;

/**
 * Resolves when the answer has ended: true if the operating system accepted the whole answer while the connection was
 * open. Bytes that the client does not read from its own buffers count as sent. Node's `finish` event alone is not enough,
 * because Node also emits it after a reset of the connection.
 */
export const wasSent = (response: Response): Promise<boolean> => {
  // Node takes the socket away from a finished response, but not from its request.
  const { socket } = response.req;
  let wasOpen = false;
  response.once("finish", () => {
    wasOpen = isOpen(socket);
  });
  return new Promise((resolve) => {
    const onClose = (): void => {
      resolve(wasOpen && socket.errored === null);
    };
    if (response.closed) onClose();
    else response.once("close", onClose);
  });
};
