/** One connection that reads the events of a station as NDJSON. */
import { tried, within } from "./guard.ts";
import { retryAfter } from "./transport.ts";
import type { Gap } from "./subscribe-types.ts";

/** Milliseconds without input after which the connection counts as dead: three heartbeats of the gateway. */
const SILENCE = 45_000;

/** Maximum characters of an error text, which may be the page of a proxy. */
const MAX_ERROR = 200;

/** A line of the stream. */
export interface Line {
  readonly id?: string;
  readonly gap?: Gap;
  readonly end?: { readonly reason: string };
  /** An event has an offset. */
  readonly offset?: string;
}

/** Another answer than a stream. */
export interface Refusal {
  readonly status: number;
  readonly reason: string;
  /** Milliseconds. */
  readonly retryAfter?: number | undefined;
}

export interface Wanted {
  readonly url: string;
  readonly token: string;
  readonly lastEventId: string | undefined;
}

/** Rejects if there is no answer, and after the abort. */
export const openStream = async (
  { url, token, lastEventId }: Wanted,
  signal: AbortSignal,
): Promise<AsyncIterable<Line> | Refusal> => {
  const request = fetch(url, {
    headers: {
      accept: "application/x-ndjson",
      authorization: `Bearer ${token}`,
      ...(lastEventId && { "last-event-id": lastEventId }),
    },
    credentials: "omit",
    // The target of a redirect is not the gateway, and must not get the token.
    redirect: "manual",
    signal,
  });
  const answer = await within(SILENCE, request);
  const { status, headers, body } = answer;
  if (status === 200 && body && headers.get("content-type")?.includes("ndjson")) return linesOf(body);
  return {
    status,
    reason: await within(SILENCE, errorOf(answer)),
    retryAfter: retryAfter(headers.get("retry-after")),
  };
};

const errorOf = async (answer: Response): Promise<string> => {
  const text = await answer.text();
  const { error } = Object(tried(() => JSON.parse(text) as unknown)) as Record<string, unknown>;
  return (typeof error === "string" ? error : text || answer.type).slice(0, MAX_ERROR);
};

/** An empty line is a heartbeat. An incomplete last line is dropped: the event comes again after the reconnect. */
async function* linesOf(body: ReadableStream<Uint8Array>): AsyncGenerator<Line> {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let pending = "";
  for (;;) {
    const { done, value } = await within(SILENCE, reader.read());
    if (done) return;
    const lines = (pending + decoder.decode(value, { stream: true })).split("\n");
    pending = lines.pop() ?? "";
    for (const line of lines) yield JSON.parse(line || "{}") as Line;
  }
}
