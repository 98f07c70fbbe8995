/** Answers a stream while its request goes on: 200 and the headers at once, then one line for each report. */
import { GatewayError } from "../errors.ts";
import { runStream, type StreamLimits } from "../ingest/stream/event-stream.ts";
import type { StreamItem, StreamProtocol } from "../ingest/stream/stream-protocol.ts";
import type { Clock } from "../lib/clock.ts";
import type { Call } from "./call.ts";
import { closeLingering } from "./last-answer.ts";

export interface StreamSettings {
  readonly limits: StreamLimits;
  readonly clock: Clock;
  /** Aborted when the process shuts down. */
  readonly stopping: AbortSignal;
}

/** Throws ENCODING_UNSUPPORTED for an encoded body, because a decoder delays events until it has more bytes. */
export const requirePlainStream = ({ request }: Call): void => {
  const encoding = request.headers["content-encoding"]?.trim().toLowerCase() ?? "";
  if (encoding !== "" && encoding !== "identity")
    throw new GatewayError("ENCODING_UNSUPPORTED", { headers: { "Accept-Encoding": "identity" } });
};

/** Resolves when the stream has ended for any reason. If the gateway ended it, the connection is closed too. */
export const answerStream = async <T extends StreamItem>(
  call: Call,
  contentType: string,
  protocol: StreamProtocol<T>,
  settings: StreamSettings,
): Promise<void> => {
  const { request, response } = call;
  if (request.headers.expect !== undefined) response.writeContinue();
  response.setHeader("Content-Type", contentType);
  // Otherwise nginx collects reports until its buffer is full.
  response.setHeader("X-Accel-Buffering", "no");
  response.flushHeaders();
  const { socket } = response;
  const end = await runStream({
    input: request,
    output: response,
    protocol,
    expires: call.principal?.expires,
    ...settings,
  });
  if (end instanceof GatewayError && socket !== null) closeLingering(socket);
};
