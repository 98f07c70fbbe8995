/** Passes a call on to the home of its group (the process that serves the group), and the answer back to the client. */
import type { Response } from "express";
import { unauthorized } from "../auth/principal.ts";
import type { Home } from "../home/home.ts";
import type { PeerAnswer, PeerCall } from "../home/peers/peers.ts";
import type { Clock } from "../lib/clock.ts";
import type { AuthorisedCall } from "./call.ts";
import { wasSent } from "./handlers/stations/consume.ts";

export interface ForwardOptions {
  readonly home: Pick<Home, "call">;
  readonly clock: Clock;
  /** Milliseconds that a client may take for an answer. After that its connection is reset. */
  readonly answerMax: number;
}

/**
 * Sends the home's answer to the client, and reports to the home how the answer ended. Rejects with the GatewayError of the
 * home, with HOME_UNAVAILABLE, or with UNAUTHORIZED if the credential expires while the call waits. Sends nothing if the
 * client has disconnected.
 */
export const forward = async (
  call: AuthorisedCall,
  { home, clock, answerMax }: ForwardOptions,
  group: string,
  request: Omit<PeerCall, "signal">,
): Promise<void> => {
  const { response } = call;
  const presence = presenceOf(call, clock);
  let answer: PeerAnswer;
  try {
    answer = await home.call(group, { ...request, signal: presence.signal });
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
  void wasSent(response).then(answer.ended);
  write(response, answer, clock, answerMax);
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
  clock: Clock,
  answerMax: number,
): void => {
  const cancel = clock.after(answerMax, () => {
    (response.socket ?? response.req.socket).resetAndDestroy();
  });
  response.once("close", cancel);
  response.statusCode = status;
  for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
  response.end(body);
};
