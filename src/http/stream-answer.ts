/** Answers a stream while its request goes on: 200 and the headers at once, then one line for each report. */
import type { Principal } from "../auth/principal.ts";
import { GatewayError } from "../errors.ts";
import { runStream, type StreamLimits } from "../ingest/stream/event-stream.ts";
import type { StreamItem, StreamProtocol } from "../ingest/stream/stream-protocol.ts";
import type { Clock } from "../lib/clock.ts";
import type { AuthorisedCall, Call } from "./call.ts";
import { closeLingering } from "./last-answer.ts";
import { clientCall, type LiveCalls } from "./live-calls.ts";

export interface StreamSettings {
  readonly limits: StreamLimits;
  readonly clock: Clock;
  readonly live: LiveCalls<Principal>;
  /** Aborted when the process shuts down. */
  readonly stopping: AbortSignal;
}

/** Throws ENCODING_UNSUPPORTED for an encoded body, because a decoder delays events until it has more bytes. */
export const requirePlainStream = ({ request }: Call): void => {
  const encoding = request.headers["content-encoding"]?.trim().toLowerCase() ?? "";
  if (encoding !== "" && encoding !== "identity")
    throw new GatewayError("ENCODING_UNSUPPORTED", { headers: { "Accept-Encoding": "identity" } });
};

export interface AnsweredStream<T extends StreamItem> {
  readonly contentType: string;
  readonly protocol: StreamProtocol<T>;
  /** Throws the error with which the stream ends if this principal may not send it. */
  readonly require: (principal: Principal) => void;
}

/**
 * Resolves when the stream has ended for any reason. If the gateway ended it, the connection is closed too. Rejects as
 * `LiveCalls.add` throws.
 */
export const answerStream = async <T extends StreamItem>(
  call: AuthorisedCall,
  { contentType, protocol, require }: AnsweredStream<T>,
  { live, ...settings }: StreamSettings,
): Promise<void> => {
  const { request, response, principal } = call;
  const revoked = new AbortController();
  const end = (error: GatewayError): void => {
    revoked.abort(error);
  };
  const remove = live.add(clientCall(call, { require, end }));
  if (request.headers.expect !== undefined) response.writeContinue();
  response.setHeader("Content-Type", contentType);
  // Otherwise nginx collects reports until its buffer is full.
  response.setHeader("X-Accel-Buffering", "no");
  response.flushHeaders();
  const { socket } = response;
  const ended = await runStream({
    input: request,
    output: response,
    protocol,
    expires: principal.expires,
    revoked: revoked.signal,
    ...settings,
  });
  remove();
  if (ended instanceof GatewayError && socket !== null) closeLingering(socket);
};
