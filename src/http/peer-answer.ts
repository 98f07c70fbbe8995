/** Passes a call on to the home of its group (the process that serves the group), and the answer back to the client. */
import type { Response } from "express";
import { type Principal, unauthorized } from "../auth/principal.ts";
import { EVENTS_HEADER } from "../consume/batch.ts";
import type { GatewayError } from "../errors.ts";
import type { Home } from "../home/home.ts";
import type { PeerAnswer, PeerCall } from "../home/peers/peers.ts";
import type { Clock } from "../lib/clock.ts";
import type { AuthorisedCall } from "./call.ts";
import { clientCall, type LiveCalls } from "./live-calls.ts";

export interface ForwardOptions {
  readonly home: Pick<Home, "call">;
  readonly clock: Clock;
  readonly live: LiveCalls<Principal>;
  /** Milliseconds that a client may take for an answer. After that its connection is reset. */
  readonly answerMax: number;
  /** Aborted when this process ends: waiting calls are answered then. */
  readonly stopping: AbortSignal;
}

type HomeCall = Omit<PeerCall, "signal">;

export interface ForwardedCall {
  readonly request: HomeCall;
  /** The call to make instead if this process ends, or the principal's rights change, while the call waits. */
  readonly hurried?: (principal: Principal) => HomeCall;
  /**
   * Throws the error of a new call of this principal, if it may not make the call any more. "hurry": it may, but its rights
   * have changed for the home.
   */
  readonly require: (principal: Principal) => "hurry" | undefined;
}

/**
 * Sends the home's answer to the client, and reports to the home how the answer ended. Rejects with the GatewayError of the
 * home, with HOME_UNAVAILABLE, with UNAUTHORIZED if the credential expires or is removed while the call waits, and with the
 * error of `require`. Sends nothing if the client has disconnected.
 */
export const forward = async (
  call: AuthorisedCall,
  options: ForwardOptions,
  group: string,
  forwarded: ForwardedCall,
): Promise<void> => {
  const { response } = call;
  const presence = presenceOf(call, options, forwarded);
  let answer: PeerAnswer;
  try {
    answer = await callHome(options, group, { ...forwarded, presence });
  } catch (error) {
    if (response.closed) return;
    throw presence.refusal ?? error;
  } finally {
    presence.leave();
  }
  if (presence.refusal !== undefined) {
    answer.ended(false);
    throw presence.refusal;
  }
  const { [EVENTS_HEADER]: events, ...headers } = answer.headers;
  if (events !== undefined) call.facts.consumed = Number(events);
  void wasSent(response).then(answer.ended);
  write(response, { ...answer, headers }, options);
};

interface WaitingCall extends Pick<ForwardedCall, "request" | "hurried"> {
  readonly presence: Presence;
}

const callHome = async (
  { home }: ForwardOptions,
  group: string,
  { request, hurried, presence: { gone, hurry, principal } }: WaitingCall,
): Promise<PeerAnswer> => {
  if (hurried === undefined) return home.call(group, { ...request, signal: gone });
  const isHurried = (): boolean => hurry.aborted;
  if (!isHurried()) {
    const waiting = abortedByEither(gone, hurry);
    try {
      const answer = await home.call(group, { ...request, signal: waiting.signal });
      if (!waiting.signal.aborted) return answer;
      answer.ended(false);
    } catch (error) {
      if (!isHurried() || gone.aborted) throw error;
    } finally {
      waiting.end();
    }
  }
  gone.throwIfAborted();
  return home.call(group, { ...hurried(principal()), signal: gone });
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

/** The client of a call that waits. */
interface Presence {
  /** Aborted when the client has disconnected, or may not make the call any more. */
  readonly gone: AbortSignal;
  /** Aborted when the call shall not wait any longer. */
  readonly hurry: AbortSignal;
  /** With its present rights. */
  readonly principal: () => Principal;
  /** Why the client may not make the call any more. */
  readonly refusal: GatewayError | undefined;
  leave(): void;
}

/** Throws as `LiveCalls.add` does. */
const presenceOf = (
  call: AuthorisedCall,
  { clock, live, stopping }: ForwardOptions,
  { require }: ForwardedCall,
): Presence => {
  const { response, principal } = call;
  const [gone, hurry] = [new AbortController(), new AbortController()];
  const { expires } = principal;
  let current = principal;
  let refusal: GatewayError | undefined;
  const onClose = (): void => {
    gone.abort();
  };
  const onStop = (): void => {
    hurry.abort();
  };
  const refuse = (error: GatewayError): void => {
    refusal ??= error;
    gone.abort();
  };
  const remove = live.add(
    clientCall(call, {
      require: (renewed) => {
        const isHurried = require(renewed) === "hurry";
        current = renewed;
        if (isHurried) hurry.abort();
      },
      end: refuse,
    }),
  );
  response.once("close", onClose);
  if (stopping.aborted) onStop();
  else stopping.addEventListener("abort", onStop);
  const cancel =
    expires === undefined
      ? undefined
      : clock.after(Math.max(0, expires - clock.now()), () => {
          refuse(unauthorized("expired api key"));
        });
  return {
    gone: gone.signal,
    hurry: hurry.signal,
    principal: () => current,
    get refusal() {
      return refusal;
    },
    leave: () => {
      remove();
      cancel?.();
      response.off("close", onClose);
      stopping.removeEventListener("abort", onStop);
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
